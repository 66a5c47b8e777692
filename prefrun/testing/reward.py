"""The conformance suite of rewards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING
from unittest import SkipTest

from prefrun.component import Component
from prefrun.records.split import DataSplit, ReadCounts
from prefrun.records.tree import PreferenceTree
from prefrun.reward import ObjectivesReward
from prefrun.testing import component as shared
from prefrun.testing.component import ComponentSubject
from prefrun.testing.composition import find_component
from prefrun.testing.seeding import seeded
from prefrun.testing.suite import Property, Report, Suite, settle
from prefrun.testing.trees import make_trees

if TYPE_CHECKING:
    from prefrun.reward import Reward, RewardSource

RELATIVE, ABSOLUTE = 1e-4, 1e-5
"""A reward model in float32 rounds differently in another batch."""


class RewardSubject(ComponentSubject):
    """A reward, and answers to score."""

    @cached_property
    def trees(self) -> Sequence[PreferenceTree]:
        """What the reward says it can judge, or records about anything."""
        source = self.build()
        return source.examples() if hasattr(source, "examples") else make_trees()

    def reward(self) -> Reward:
        """Return a new one, for these records."""
        source: RewardSource = self.build()
        data = DataSplit("records", self.trees, self.trees, "00", ReadCounts())
        reward = source.of(data)
        assert reward is not None, "of(data) returned None for data without a judge"
        return reward


def has_a_name(subject: RewardSubject) -> None:
    """Reports show the name beside its metrics."""
    name = getattr(subject.reward(), "name", "")
    assert isinstance(name, str), f"name is {name!r}, no text"
    assert name.strip(), "name is empty"


def scores_are_sound(subject: RewardSubject) -> None:
    """One finite score per answer, whatever their number; the same in any order and every time."""
    assert_sound(subject.reward(), subject.trees)


def objectives_are_sound(subject: RewardSubject) -> None:
    """One finite number per objective and answer; the same in any order and every time."""
    reward = subject.reward()
    if not isinstance(reward, ObjectivesReward):
        raise SkipTest("it has no objectives")
    assert_objectives_sound(reward, subject.trees)


PROPERTIES = (
    *shared.PROPERTIES,
    Property(has_a_name, ("factory_loads",)),
    Property(scores_are_sound, ("factory_loads",)),
    Property(objectives_are_sound, ("factory_loads",)),
)


class _Objective:
    """One objective of a reward, as a reward."""

    def __init__(self, reward: ObjectivesReward, place: int) -> None:
        self.name = f"{reward.name}: {reward.objectives[place]}"
        self._reward, self._place = reward, place

    def score(self, trees: Sequence[PreferenceTree], responses: Sequence[str]) -> list[float]:
        """Return this objective's numbers."""
        rows = self._reward.score_objectives(trees, responses)
        count = len(self._reward.objectives)
        for row in rows:
            assert len(row) == count, f"{len(row)} numbers for {count} objectives"
        return [row[self._place] for row in rows]


def assert_objectives_sound(reward: ObjectivesReward, trees: Sequence[PreferenceTree]) -> None:
    """Raise AssertionError where REWARD's objectives break their contract on TREES' answers."""
    names = reward.objectives
    assert names, "objectives is empty"
    assert len(set(names)) == len(names), f"objectives are named twice: {names}"
    for place in range(len(names)):
        assert_sound(_Objective(reward, place), trees)


def assert_sound(reward: Reward, trees: Sequence[PreferenceTree]) -> None:
    """Raise AssertionError where REWARD breaks its contract on the answers of TREES."""
    asked = [(tree, branch.text) for tree in trees for branch in tree.branches]
    assert asked, "there is no answer to score"
    with seeded(1):
        scores = _score(reward, asked)
    with seeded(2):
        again = _score(reward, asked)
    assert scores == again, "the same answers got other scores the second time"
    _assert_close(_score(reward, asked[::-1]), scores[::-1], "in reversed order")
    _assert_close(_score(reward, asked[:1]), scores[:1], "when scored alone")
    assert _score(reward, []) == [], "no answer got a score"


def _score(reward: Reward, asked: Sequence[tuple[PreferenceTree, str]]) -> list[float]:
    scores = reward.score([tree for tree, _ in asked], [response for _, response in asked])
    assert isinstance(scores, list), f"score() returned a {type(scores).__name__}, not a list"
    assert len(scores) == len(asked), f"{len(scores)} scores for {len(asked)} answers"
    for score, (tree, _) in zip(scores, asked, strict=True):
        number = isinstance(score, int | float) and math.isfinite(score)
        assert number, f"the score of an answer of record {tree.id} is {score!r}"
    return scores


def _assert_close(seen: Sequence[float], expected: Sequence[float], when: str) -> None:
    for one, other in zip(seen, expected, strict=True):
        same = math.isclose(one, other, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
        assert same, f"an answer scores {other:.9g}, but {one:.9g} {when}"


def check_reward(
    reward: str | Component,
    *,
    overrides: Sequence[str] = (),
) -> Report:
    """Run every check of a reward and return the verdicts.

    REWARD: what follows `reward=`, or a Component. It is tried on the records that its method
    `examples()` returns, where it has one, else on `make_trees()`. Further arguments and errors as
    for `check_algorithm`.
    """
    return settle(suite_of(reward, overrides))


def suite_of(
    reward: str | Component,
    overrides: Sequence[str] = (),
) -> Suite:
    """Return the checks of a reward, none of them judged yet."""
    subject = RewardSubject(find_component("reward", reward), overrides)
    return Suite(subject, PROPERTIES)
