"""The evaluator on log-probs that are written down."""

from types import SimpleNamespace

import pytest
import torch

from prefrun.evaluation.evaluator import NotApplicable
from prefrun.policy.policy import BranchLogps
from prefrun.records.tree import Branch, PreferenceTree, Step
from prefrun_example.config import ChosenLikelihoodConfig
from prefrun_example.measure import ChosenLikelihood


def tree(*scores):
    answers = [Branch((Step(str(n)),), {"overall": score}) for n, score in enumerate(scores)]
    return PreferenceTree(f"{scores}", "Which?", tuple(answers))


def logps(*answers):
    return BranchLogps(tuple(torch.tensor(answer) for answer in answers))


def measure(trees, own, start, *, per_token=False):
    context = SimpleNamespace(
        trees=trees,
        objective="overall",
        logps=lambda: own,
        baseline_logps=lambda: start,
        bootstrap=20,
        seed=0,
    )
    config = ChosenLikelihoodConfig(per_token=per_token)
    return ChosenLikelihood(config).evaluate(context)


TREES = [tree(1.0, 0.0), tree(0.0, 1.0, 1.0)]
OWN = [logps([-1.0, -2.0], [-9.0]), logps([-1.0], [-2.0], [-5.0])]
START = [logps([-1.0, -1.0], [-5.0]), logps([-2.0], [-3.0], [-8.0])]


def test_means_over_prompts_of_the_best_and_the_other_answers():
    seen = measure(TREES, OWN, START)
    assert seen["chosen_log_ratio"].per_record == pytest.approx([-1.0, 2.0])
    assert seen["rejected_log_ratio"].per_record == pytest.approx([-4.0, 1.0])
    assert seen["chosen_fell"].value == 0.5


def test_per_token_divides_by_the_length():
    seen = measure(TREES, OWN, START, per_token=True)
    assert seen["chosen_log_ratio"].per_record == pytest.approx([-0.5, 2.0])


def test_a_prompt_whose_best_answer_was_cut_to_nothing_has_no_number():
    own = [logps([], [-9.0]), OWN[1]]
    start = [logps([], [-5.0]), START[1]]
    seen = measure(TREES, own, start)
    assert seen["chosen_log_ratio"].per_record == (None, 2.0)
    assert seen["chosen_fell"].value == 0.0


def test_answers_without_scores_or_ranks_cannot_be_measured():
    bare = PreferenceTree("bare", "Which?", (Branch((Step("a"),)), Branch((Step("b"),))))
    with pytest.raises(NotApplicable, match="no score 'overall'"):
        measure([bare], [logps([-1.0], [-1.0])], [logps([-1.0], [-1.0])])
