"""Rewards that tell whether a solution's answer is right, and how far its steps are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from prefrun.errors import DataError
from prefrun.records.tree import OVERALL, Branch, PreferenceTree, Step
from prefrun_tpo.chain import Verdict, parse, verify
from prefrun_tpo.config import ChainRewardConfig, SolutionRewardConfig
from prefrun_tpo.solutions import final_number, right_steps, step_result, step_total
from prefrun_tpo.steps import split_like

if TYPE_CHECKING:
    from prefrun.records.split import DataSplit

ANSWER, STEPS = "answer", "steps"


class SolutionVerifier(ABC):
    """Base of the verifiers: an `ObjectivesReward` of two objectives.

    `answer` is 1 where the final answer is right, else 0; `steps` the part of the steps, in [0, 1],
    that stand before the first wrong one. `score` is 200 * steps - 100: from -100 to 100.
    """

    name = "verifier"
    objectives = (ANSWER, STEPS)

    def score(self, trees: Sequence[PreferenceTree], responses: Sequence[str]) -> list[float]:
        """Return one score per response. Raises DataError for a prompt it cannot judge."""
        return [200.0 * steps - 100.0 for _, steps in self.score_objectives(trees, responses)]

    def score_objectives(
        self, trees: Sequence[PreferenceTree], responses: Sequence[str]
    ) -> list[tuple[float, ...]]:
        """Return (answer, steps) per response. Raises DataError as `score` does."""
        verdicts = (
            self.verdict(tree, response) for tree, response in zip(trees, responses, strict=True)
        )
        return [(float(each.answer), each.right_steps / each.steps) for each in verdicts]

    @abstractmethod
    def verdict(self, tree: PreferenceTree, response: str) -> Verdict:
        """Judge one response. Raises DataError for a prompt it cannot judge."""


class ChainVerifier(SolutionVerifier):
    """Chain arithmetic, exactly: the prompt alone says what is right."""

    name = "chain verifier"

    def verdict(self, tree: PreferenceTree, response: str) -> Verdict:
        """Raises DataError where the prompt is no exercise."""
        return verify(parse(tree.prompt_text), response)


class BestBranchVerifier(SolutionVerifier):
    """Compares with the record's branches of the highest score, by numbers.

    The answer is right where its last number is that of the first best branch, and then so are all
    steps: there is more than one way. Of a wrong one a step is right where some best branch goes
    the same way so far, told by the results of the steps.
    """

    name = "best branch"

    def __init__(self, objective: str) -> None:
        self.objective = objective

    def verdict(self, tree: PreferenceTree, response: str) -> Verdict:
        """Raises DataError where the record has no scored branch or its answer no number."""
        labels = tree.labels(self.objective)
        best = [b for b, label in zip(tree.branches, labels, strict=True) if label == max(labels)]
        if not best:
            raise DataError("no branch to compare with", record=tree.id, field="branches")
        wanted = final_number(best[0].text)
        if wanted is None:
            raise DataError(
                f"the best branch ends with no number: {best[0].text[-40:]!r}",
                record=tree.id,
                field="branches",
                remedy="choose another reward",
            )
        steps = split_like(response, [step.text for step in best[0].steps])
        results = [step_result(step) for step in steps]
        ways = [[step_result(step.text) for step in branch.steps] for branch in best]
        answer = final_number(response) == wanted
        total = step_total(results, ways)
        return Verdict(answer, total if answer else right_steps(results, ways), total)


class ChainReward(ChainVerifier):
    """The component behind `reward=chain_arithmetic`."""

    card = """
    Exact verifier of chain arithmetic, 'Start 4: +3 +5': it reads the prompt, so it judges any data
    with such prompts, as trees that algo=grow_trees wrote. Objectives: answer, 1 where the last
    step is the exercise's last one with the right result; steps, the part of the steps before the
    first wrong one. Score: 200 * steps - 100.
    """

    def __init__(self, config: ChainRewardConfig) -> None:
        self.config = config

    def examples(self) -> list[PreferenceTree]:
        """Return an exercise with a right and a wrong solution."""
        texts = ("Step 1: +3 = 7\nStep 2: +5 = 2\n", "Step 1: +3 = 7\nStep 2: +5 = 3\n")
        return [PreferenceTree("example", "Start 4: +3 +5\n", tuple(map(_branch, texts)))]

    def of(self, data: DataSplit) -> ChainVerifier:
        """Return the verifier. Raises DataError where DATA's first prompt is no exercise."""
        for tree in (*data.train[:1], *data.test[:1]):
            parse(tree.prompt_text)
        return self


class SolutionReward(BestBranchVerifier):
    """The component behind `reward=solution`."""

    card = """
    Verifier for solutions that end with a number: the answer is right where its last number is that
    of the record's best branch, and then so are all steps; of a wrong one a step is right where
    some branch of that score goes the same way so far, told by the result of its calculations
    <<6*4=24>>, else by its text. Objectives: answer, steps. Score: 200 * steps - 100. Source: the
    data recipe of TPO (arXiv 2410.12854), with a program in the place of the judge model.
    """

    def __init__(self, config: SolutionRewardConfig) -> None:
        super().__init__(OVERALL)
        self.config = config

    def examples(self) -> list[PreferenceTree]:
        """Return a record whose best branch ends with a number."""
        right = _branch("two and two is <<2+2=4>>4\nA: 4", 100.0)
        return [PreferenceTree("example", "How much?", (_branch("A: 9", -100.0), right))]

    def of(self, data: DataSplit) -> BestBranchVerifier:
        """Return the verifier for DATA's objective."""
        return BestBranchVerifier(data.objective)


def _branch(text: str, score: float | None = None) -> Branch:
    return Branch((Step(text),), {} if score is None else {OVERALL: score})
