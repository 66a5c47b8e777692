"""Targets from the preferred answers, and the warnings about them."""

from __future__ import annotations

import pytest
import torch

from prefrun.records.tree import Branch, PreferenceTree, Step
from prefrun_orchestrator.targets import log_targets, relative_entropy, warnings_about
from prefrun_orchestrator.weights import Statistics

NAMES = ("one", "two")


def doubles(values):
    return torch.tensor(values, dtype=torch.float64)


def tree(*labels):
    branches = [Branch((Step(str(i)),), {"overall": label}) for i, label in enumerate(labels)]
    return PreferenceTree("a", "prompt", tuple(branches))


REWARDS = doubles([[0.0, 3.0], [1.0, 0.0], [2.0, 2.0]])
POOL = Statistics.of(REWARDS)


def targets(record, *, less_rejected=False, rewards=REWARDS):
    return log_targets(
        [record], [rewards], "overall", POOL, "none", 1.0, less_rejected=less_rejected
    )[0].exp()


def test_the_target_is_the_softmax_of_the_preferred_answers_rewards():
    assert torch.allclose(targets(tree(1, 5, 3)), doubles([1.0, 0.0]).softmax(-1))


def test_the_rejected_answers_rewards_may_be_taken_off():
    found = targets(tree(1, 5, 3), less_rejected=True)
    assert torch.allclose(found, doubles([1.0, -3.0]).softmax(-1))


def test_a_single_answer_needs_no_label():
    alone = PreferenceTree("a", "prompt", (Branch((Step("x"),)),))
    assert torch.allclose(targets(alone, rewards=REWARDS[:1]), doubles([0.0, 3.0]).softmax(-1))


def test_statistics_over_all_answers_keep_what_statistics_over_preferred_ones_lose():
    """Every preferred answer is good in objective one: that is what the adapter is to learn."""
    pool = doubles([[1.0, 0.0], [0.0, 1.0], [0.9, 0.1], [0.1, 0.9]])
    preferred = pool[[0, 2]]
    records = [tree(1), tree(1)]
    rewards = [preferred[:1], preferred[1:]]

    def mean(statistics):
        found = log_targets(
            records, rewards, "overall", statistics, "zscore", 0.1, less_rejected=False
        )
        return found.exp().mean(0)

    assert mean(Statistics.of(pool))[0] > 0.99
    assert mean(Statistics.of(preferred))[0] == pytest.approx(0.5, abs=1e-6)


def test_different_scales_without_normalisation_are_warned_of():
    pool = Statistics.of(doubles([[0.0, 0.0], [1.0, 40.0]]))
    soft = doubles([[0.5, 0.5]]).log()
    (warning,) = warnings_about(pool, soft, NAMES, "none")
    assert "differ 40 times, so 'two' decides" in warning
    assert not warnings_about(pool, soft, NAMES, "zscore")


def test_one_hot_targets_and_constant_objectives_are_warned_of():
    pool = Statistics.of(doubles([[0.0, 7.0], [1.0, 7.0]]))
    found = warnings_about(pool, doubles([[1 - 1e-9, 1e-9]]).log(), NAMES, "zscore")
    assert "constant over all training answers: two" in found[0]
    assert "almost one-hot" in found[1]


def test_relative_entropy_is_one_for_uniform_weights():
    assert relative_entropy(doubles([[0.5, 0.5]]).log()) == pytest.approx(1.0)
    assert relative_entropy(doubles([[0.0]])) == 1.0
