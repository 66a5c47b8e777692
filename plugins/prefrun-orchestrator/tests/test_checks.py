"""What algo=orchestrator refuses before a model is loaded."""

from __future__ import annotations

from dataclasses import replace

import pytest

from prefrun import ConfigError, DataError
from prefrun.records.split import DataSplit, ReadCounts
from prefrun.testing import make_trees
from prefrun_orchestrator.algo import Orchestrator
from prefrun_orchestrator.config import (
    EncoderKind,
    OrchestratorConfig,
    RewardsFrom,
    Stage2,
    TopicsConfig,
)
from prefrun_orchestrator.scores import choose_objectives, judged, own_weights


class Judge:
    name = "judge"

    def __init__(self, *objectives, value=1.0):
        self.objectives, self.value = objectives, value

    def score(self, trees, responses):
        return [self.value for _ in responses]

    def score_objectives(self, trees, responses):
        return [tuple(self.value for _ in self.objectives) for _ in responses]


def data(trees=None):
    trees = trees or make_trees(6)
    return DataSplit("made-up", trees[:4], trees[4:], "0", ReadCounts(6, 6))


def check(split=None, reward=None, **keys):
    Orchestrator(OrchestratorConfig(**keys)).check(split or data(), reward)


def test_objectives_are_the_given_ones_else_the_rewards_else_all_shared_scores():
    assert choose_objectives([], data(), None) == ("helpfulness", "honesty")
    assert choose_objectives([], data(), Judge("a", "b")) == ("a", "b")
    assert choose_objectives(["honesty"], data(), Judge("a", "b")) == ("honesty",)
    check()


def test_a_missing_objective_names_record_and_field():
    trees = make_trees(6)
    bare = replace(trees[5].branches[1], scores={"overall": 1.0, "honesty": 0.5})
    trees[5] = replace(trees[5], branches=(trees[5].branches[0], bare))
    with pytest.raises(DataError, match=r"tree-5.*branches\[1\]\.scores\.helpfulness"):
        check(data(trees), objectives=["honesty", "helpfulness"])


def test_answers_without_several_scores_are_refused():
    trees = [
        replace(tree, branches=tuple(replace(b, scores={"overall": 1.0}) for b in tree.branches))
        for tree in make_trees(6)
    ]
    with pytest.raises(ConfigError, match=r"algo\.objectives"):
        check(data(trees))


@pytest.mark.parametrize(
    "weights", [[0, 0], [1], [1, -1], ["x", 1], {"honesty": 1}, 3, [float("nan"), 1]]
)
def test_bad_weights_of_a_record_name_it(weights):
    trees = make_trees(6)
    trees[2] = replace(trees[2], metadata={"weights": weights})
    with pytest.raises(DataError, match=r"tree-2.*metadata\.weights"):
        check(data(trees))


def test_good_weights_of_a_record_are_renormalised():
    tree = replace(make_trees(1)[0], metadata={"weights": {"b": 1, "a": 3}})
    assert own_weights(tree, ("a", "b")).tolist() == [0.75, 0.25]


@pytest.mark.parametrize("keys", [{"stage2": Stage2.online}, {"rewards": RewardsFrom.reward}])
def test_a_reward_without_the_objectives_is_refused(keys):
    for reward in (None, Judge("honesty")):
        with pytest.raises(ConfigError, match=r"needs a reward for .*helpfulness"):
            check(reward=reward, objectives=["honesty", "helpfulness"], **keys)
    check(reward=Judge("helpfulness", "honesty"), **keys)


def test_a_reward_that_is_not_finite_names_the_record():
    trees = make_trees(1)
    with pytest.raises(DataError, match=r"tree-0.*'b'.*gives nan"):
        judged(Judge("a", "b", value=float("nan")), ["b"], trees, ["answer"])


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"temperature": 0.0}, r"algo\.temperature"),
        ({"weights": [0.0, 0.0]}, "zero vector"),
        ({"weights": [1.0, -1.0]}, r"algo\.weights"),
        ({"weights": [1.0], "adapter": "x"}, r"algo\.adapter"),
        ({"weights": [1.0, 1.0, 1.0]}, "3 numbers for the 2 objectives"),
        ({"min_weight": 0.5}, r"below 1/2"),
        ({"min_weight": -0.1}, r"algo\.min_weight"),
        ({"entropy_coef": -1.0}, r"algo\.entropy_coef"),
        ({"group_size": 1}, r"algo\.group_size"),
        ({"warmup": 1.5}, r"algo\.warmup"),
        ({"learning_rate": 0.0}, r"algo\.learning_rate"),
        ({"objectives": ["honesty", "honesty"]}, "twice"),
        ({"encoder_name": "x"}, r"algo\.encoder=hf"),
        ({"encoder": EncoderKind.hf, "adapter": "/nowhere"}, "holds no adapter"),
        ({"encoder": EncoderKind.hf, "encoder_name": "/nowhere"}, "there is no such folder"),
        ({"stage2": Stage2.offline, "base": "nothing"}, r"algo\.base=nothing is not installed"),
    ],
)
def test_settings_out_of_range_name_their_key(keys, named):
    with pytest.raises(ConfigError, match=named):
        check(**keys)


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"scales": [1.0]}, r"data\.scales"),
        ({"scales": [1.0, 0.0, 1.0]}, "above 0"),
        ({"offsets": [0.0, 1.0]}, r"data\.offsets"),
        ({"objectives": 1}, r"data\.objectives"),
        ({"concentration": 0.0}, r"data\.concentration"),
        ({"noise": -1.0}, r"data\.noise"),
    ],
)
def test_settings_of_topics_out_of_range_name_their_key(keys, named):
    with pytest.raises(ConfigError, match=named):
        TopicsConfig(**keys)


def test_stage_two_alone_needs_a_language_model():
    assert not Orchestrator(OrchestratorConfig()).uses_model
    assert Orchestrator(OrchestratorConfig(stage2=Stage2.online)).uses_model
