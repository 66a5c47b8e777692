"""evaluator=objectives."""

from __future__ import annotations

import pytest
import torch

from prefrun import ConfigError
from prefrun.evaluation.evaluator import NotApplicable
from prefrun.testing.context import RandomContext
from prefrun_orchestrator.adapter import Adapter, AdapterSettings
from prefrun_orchestrator.config import ObjectivesConfig
from prefrun_orchestrator.evaluator import Objectives
from prefrun_orchestrator.weights import Statistics


class Counts:
    """Words and vowels of an answer."""

    name = "counts"
    objectives = ("words", "vowels")

    def score(self, trees, responses):
        return [sum(row) for row in self.score_objectives(trees, responses)]

    def score_objectives(self, trees, responses):
        return [
            (float(len(text.split())), float(sum(letter in "aeiou" for letter in text)))
            for text in responses
        ]


def evaluate(context, adapter=None):
    return Objectives(ObjectivesConfig(adapter)).evaluate(context)


def counting():
    context = RandomContext()
    context.reward = Counts()
    return context


def test_it_measures_the_mean_of_every_objective():
    context = counting()
    found = evaluate(context)
    words = [len(text.split()) for text in context.responses()]
    assert set(found) == {"objective/words", "objective/vowels"}
    assert found["objective/words"].value == pytest.approx(sum(words) / len(words))
    assert found["objective/words"].per_record == tuple(float(count) for count in words)


def test_the_weighted_sum_is_under_the_adapters_weights(tmp_path):
    pool = Statistics.of(torch.tensor([[0.0, 0.0], [2.0, 4.0]], dtype=torch.float64))
    Adapter(AdapterSettings(Counts.objectives, "zscore"), pool).save(tmp_path / "adapter")
    found = evaluate(counting(), str(tmp_path / "adapter"))
    words, vowels = (found[f"objective/{name}"].value for name in Counts.objectives)
    expected = 0.5 * (words - 1) / 1 + 0.5 * (vowels - 2) / 2  # an untrained adapter is uniform
    assert found["weighted_reward"].value == pytest.approx(expected)


def test_an_adapter_of_other_objectives_is_refused(tmp_path):
    pool = Statistics.of(torch.zeros(2, 2, dtype=torch.float64))
    Adapter(AdapterSettings(("a", "b"), "zscore"), pool).save(tmp_path / "adapter")
    with pytest.raises(ConfigError, match=r"evaluator\.objectives\.adapter"):
        evaluate(counting(), str(tmp_path / "adapter"))


def test_a_plain_reward_is_not_measured():
    with pytest.raises(NotApplicable, match="judges no objectives"):
        evaluate(RandomContext())
