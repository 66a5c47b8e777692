"""The evaluators, and the picture of a tree."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import torch

from prefrun.errors import ConfigError
from prefrun.evaluation.evaluator import NotApplicable
from prefrun.policy.policy import BranchLogps
from prefrun.testing import check_evaluator
from prefrun.testing.context import RandomContext
from prefrun_tpo.answer_accuracy import AnswerAccuracy
from prefrun_tpo.config import AnswerAccuracyConfig, TreeRankingConfig
from prefrun_tpo.layout import grow, nodes
from prefrun_tpo.picture import write_picture
from prefrun_tpo.report import section
from prefrun_tpo.tree_ranking import TreeRanking, kendall_tau, log_ratios


@pytest.mark.parametrize(
    ("scores", "rewards", "tau"),
    [
        ([3, 2, 1], [0.3, 0.2, 0.1], 1.0),
        ([3, 2, 1], [0.1, 0.2, 0.3], -1.0),
        ([3, 2, 1], [0.2, 0.3, 0.1], 1 / 3),
        ([2, 1, 1], [0.5, 0.1, 0.2], 2 / 6**0.5),
        ([3, 2, 1], [0.0, 0.0, 1e-12], 0.0),
        ([1, 1, 1], [0.1, 0.2, 0.3], None),
        ([1], [0.1], None),
    ],
)
def test_kendalls_tau(scores, rewards, tau):
    assert kendall_tau(scores, rewards) == (tau if tau is None else pytest.approx(tau))


def test_the_implied_reward_is_the_log_ratio():
    own, start = (BranchLogps((torch.tensor([a, b]),)) for a, b in ((-1.0, -2.0), (-3.0, -2.5)))
    assert log_ratios(own, start) == [[2.0, 0.5]]


def test_before_training_tau_is_zero_and_nothing_is_drawn(tmp_path):
    context = RandomContext(untrained=True)
    tau = TreeRanking(TreeRankingConfig()).evaluate(context)["tree_kendall_tau"]
    assert (tau.value, tau.low, tau.high) == (0.0, 0.0, 0.0)
    assert not list(tmp_path.iterdir())


def measured(tmp_path, shown=2):
    context = RandomContext()
    context.folder = tmp_path / "evaluation"
    context.folder.mkdir()
    TreeRanking(TreeRankingConfig(shown_trees=shown)).evaluate(context)
    return context


def test_step_rewards_add_up_to_the_branchs(tmp_path):
    context = measured(tmp_path)
    kept = json.loads((context.folder / "tree_ranking.json").read_text())
    assert [tree["id"] for tree in kept] == [tree.id for tree in context.trees[:2]]
    for tree, record in zip(kept, context.trees, strict=False):
        assert [branch["score"] for branch in tree["branches"]] == record.labels()
        for branch in tree["branches"]:
            assert sum(branch["step_rewards"]) == pytest.approx(branch["reward"])
            assert len(branch["step_rewards"]) == len(branch["steps"])


def test_the_report_shows_the_trees(tmp_path):
    measured(tmp_path)
    text = section(tmp_path, tmp_path / "elsewhere")
    assert text.startswith("## Trees")
    assert "![a tree](plots/tree-2.svg)" in text
    files = sorted(path.name for path in (tmp_path / "elsewhere" / "plots").iterdir())
    assert files == ["tree-1.svg", "tree-2.svg"]


def test_a_run_without_trees_has_no_section(tmp_path):
    assert section(tmp_path, tmp_path) is None
    measured(tmp_path, shown=0)
    assert section(tmp_path, tmp_path) is None


def test_equal_beginnings_are_drawn_once():
    root = grow(
        "p",
        [(["a", "b"], [1.0, 2.0]), (["a", "c"], [1.0, 3.0]), (["a"], [1.0]), (["d"], [4.0])],
    )
    drawn = [(node.text, node.depth, node.leaf, node.height) for node in nodes(root)]
    assert drawn == [
        ("p", -1, None, 1.75),
        ("a", 0, None, 0.5),
        ("b", 1, 0, 0.0),
        ("c", 1, 1, 1.0),
        ("a", 0, 2, 2.0),
        ("d", 0, 3, 3.0),
    ]


def test_a_picture_is_the_same_bytes_again_and_takes_any_text(tmp_path):
    steps = ["cost $5 & <b> \n", "Σ 円 " * 30, "\n"]
    tree = {
        "prompt": "p" * 300,
        "branches": [{"steps": steps, "step_rewards": [0.0] * 3, "score": 1.0, "reward": 0.0}],
    }
    write_picture(tmp_path / "1.svg", tree)
    write_picture(tmp_path / "2.svg", tree)
    assert (tmp_path / "1.svg").read_bytes() == (tmp_path / "2.svg").read_bytes()
    assert "cost $5 &amp; &lt;b&gt;" in (tmp_path / "1.svg").read_text()


class Verifier:
    """Calls answers of an even number of words right."""

    name = "even"
    objectives = ("answer",)

    def score(self, trees, responses):
        return [row[0] for row in self.score_objectives(trees, responses)]

    def score_objectives(self, trees, responses):
        return [(float(len(response.split()) % 2 == 0),) for response in responses]


def test_answers_are_measured_greedy_and_sampled():
    context = RandomContext()
    context.reward = Verifier()
    found = AnswerAccuracy(AnswerAccuracyConfig()).evaluate(context)
    greedy = context.policy.generate(context.trees, 256, 0.0, context.seed)
    expected = context.reward.score(context.trees, greedy)
    assert list(found["answer_accuracy"].per_record) == expected
    assert list(found["answer_accuracy_sampled"].per_record) == context.rewards()


def test_without_a_verdict_on_the_answer_there_is_no_accuracy():
    with pytest.raises(NotApplicable, match="no objective 'answer'"):
        AnswerAccuracy(AnswerAccuracyConfig()).evaluate(RandomContext())
    context = RandomContext()
    context.reward = SimpleNamespace(name="r", objectives=("help",), score=0, score_objectives=0)
    with pytest.raises(NotApplicable, match="reward r has no objective"):
        AnswerAccuracy(AnswerAccuracyConfig()).evaluate(context)


def test_the_keys_are_checked():
    with pytest.raises(ConfigError, match="shown_trees=-1"):
        TreeRankingConfig(shown_trees=-1)
    with pytest.raises(ConfigError, match="max_new_tokens=0"):
        AnswerAccuracyConfig(max_new_tokens=0)


@pytest.mark.parametrize("name", ["tree_ranking", "answer_accuracy"])
def test_conformance(name):
    check_evaluator(name)
