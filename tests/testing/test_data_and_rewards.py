"""The suites of data sources and rewards catch what breaks a run."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from prefrun import Component
from prefrun.records.split import DataSplit, ReadCounts
from prefrun.records.tree import PreferenceTree
from prefrun.testing import Report, check_data, check_reward, make_trees

CALLS = itertools.count()


@dataclass
class DemoConfig:
    """No keys."""


class Plain:
    def __init__(self, config: DemoConfig) -> None:
        self.config = config


class ShortWords(Plain):
    name = "short words"

    def of(self, data: DataSplit) -> ShortWords:
        return self

    def score(self, trees: Sequence[PreferenceTree], responses: Sequence[str]) -> list[float]:
        return [float(len(response)) for response in responses]


class Nameless(ShortWords):
    name = " "


class NanReward(ShortWords):
    def score(self, trees: Sequence[PreferenceTree], responses: Sequence[str]) -> list[float]:
        return [float("nan") if "red" in response else 0.0 for response in responses]


class PositionReward(ShortWords):
    def score(self, trees: Sequence[PreferenceTree], responses: Sequence[str]) -> list[float]:
        return [float(number) for number in range(len(responses))]


class BatchReward(ShortWords):
    def score(self, trees: Sequence[PreferenceTree], responses: Sequence[str]) -> list[float]:
        lengths = super().score(trees, responses)
        return [length / max(lengths) for length in lengths]


class NoisyReward(ShortWords):
    def score(self, trees: Sequence[PreferenceTree], responses: Sequence[str]) -> list[float]:
        return [random.random() for _ in responses]


class OneScore(ShortWords):
    def score(self, trees: Sequence[PreferenceTree], responses: Sequence[str]) -> list[float]:
        return [1.0]


class TwoObjectives(ShortWords):
    objectives = ("words", "letters")

    def score_objectives(
        self, trees: Sequence[PreferenceTree], responses: Sequence[str]
    ) -> list[tuple[float, ...]]:
        return [(float(len(text.split())), float(len(text))) for text in responses]


class LostObjective(TwoObjectives):
    def score_objectives(
        self, trees: Sequence[PreferenceTree], responses: Sequence[str]
    ) -> list[tuple[float, ...]]:
        return [row[:1] for row in super().score_objectives(trees, responses)]


class TwinObjectives(TwoObjectives):
    objectives = ("words", "words")


class NanObjective(TwoObjectives):
    def score_objectives(
        self, trees: Sequence[PreferenceTree], responses: Sequence[str]
    ) -> list[tuple[float, ...]]:
        return [(1.0, float("nan")) for _ in responses]


class Records(Plain):
    def load(self, seed: int) -> DataSplit:
        trees = make_trees(12, seed=seed)
        counts = ReadCounts(read=13, used=12, skipped=1, problems=["line 3: no prompt"])
        reward = ShortWords(DemoConfig())
        return DataSplit("demo", trees[:8], trees[8:], "00ff", counts, reward=reward)


class SeedlessRecords(Records):
    uses_seed = False

    def load(self, seed: int) -> DataSplit:
        return super().load(0)


class SecretlySeeded(Records):
    uses_seed = False

    def load(self, seed: int) -> DataSplit:
        return replace(super().load(seed), fingerprint=f"{seed:04x}")


class NoisyRecords(Records):
    def load(self, seed: int) -> DataSplit:
        split = super().load(seed)
        return replace(split, train=random.sample(list(split.train), 8))


class LeakedRecords(Records):
    def load(self, seed: int) -> DataSplit:
        split = super().load(seed)
        return replace(split, test=[*split.test, split.train[0]])


class DoubledRecords(Records):
    def load(self, seed: int) -> DataSplit:
        split = super().load(seed)
        return replace(split, train=[*split.train, split.train[0]])


class EmptyPrompt(Records):
    def load(self, seed: int) -> DataSplit:
        split = super().load(seed)
        return replace(split, train=[replace(split.train[0], prompt=" "), *split.train[1:]])


class PartlyScored(Records):
    def load(self, seed: int) -> DataSplit:
        split = super().load(seed)
        branches = tuple(replace(b, scores={}, rank=None) for b in split.train[0].branches)
        return replace(split, train=[replace(split.train[0], branches=branches), *split.train[1:]])


class FreshFingerprint(Records):
    def load(self, seed: int) -> DataSplit:
        return replace(super().load(seed), fingerprint=f"{next(CALLS):04x}")


class LostRecords(Records):
    def load(self, seed: int) -> DataSplit:
        return replace(super().load(seed), counts=ReadCounts(read=13, used=12))


class NoRecords(Records):
    def load(self, seed: int) -> DataSplit:
        return replace(super().load(seed), train=[])


class NanJudge(Records):
    def load(self, seed: int) -> DataSplit:
        return replace(super().load(seed), reward=NanReward(DemoConfig()))


FAULTS = {
    Nameless: "has_a_name",
    NanReward: "scores_are_sound",
    PositionReward: "scores_are_sound",
    BatchReward: "scores_are_sound",
    NoisyReward: "scores_are_sound",
    OneScore: "scores_are_sound",
    NoisyRecords: "load_is_deterministic",
    SecretlySeeded: "seed_is_used_or_not",
    LeakedRecords: "ids_are_unique",
    DoubledRecords: "ids_are_unique",
    EmptyPrompt: "records_are_valid",
    PartlyScored: "records_have_labels",
    FreshFingerprint: "fingerprint_is_stable",
    LostRecords: "counts_add_up",
    NoRecords: "load_returns_records",
    LostObjective: "objectives_are_sound",
    TwinObjectives: "objectives_are_sound",
    NanObjective: "objectives_are_sound",
    NanJudge: "own_reward_is_sound",
}


def check(factory: type) -> Report:
    group = "data" if issubclass(factory, Records) else "reward"
    demo = Component(group, "demo", DemoConfig, f"{__name__}:{factory.__name__}", "a demo")
    return check_data(demo) if group == "data" else check_reward(demo)


@pytest.mark.parametrize("factory", [TwoObjectives, SeedlessRecords])
def test_sound_component_passes(factory: type) -> None:
    assert {verdict.status for verdict in check(factory).verdicts} == {"passed"}


def test_a_reward_without_objectives_is_not_judged_on_them() -> None:
    skipped = [verdict.name for verdict in check(ShortWords).verdicts if verdict.status != "passed"]
    assert skipped == ["objectives_are_sound"]


@pytest.mark.parametrize(("factory", "name"), FAULTS.items())
def test_fault_fails_the_check_that_names_it(factory: type, name: str) -> None:
    with pytest.raises(AssertionError) as caught:
        check(factory)
    failed = [line.partition(":")[0].strip() for line in str(caught.value).splitlines()[1:]]
    assert failed == [name]


class ParticularReward(NanReward):
    def examples(self) -> list[PreferenceTree]:
        return [t for t in make_trees(30) if all("red" not in b.text for b in t.branches)][:2]


def test_reward_is_judged_on_records_of_its_own() -> None:
    demo = Component("reward", "demo", DemoConfig, f"{__name__}:ParticularReward", "a demo")
    assert not check_reward(demo).failed
