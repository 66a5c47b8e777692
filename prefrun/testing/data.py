"""The conformance suite of data sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from unittest import SkipTest

from prefrun.component import Component
from prefrun.errors import DataError
from prefrun.records.split import DataSplit
from prefrun.testing import component as shared
from prefrun.testing.component import ComponentSubject
from prefrun.testing.composition import find_component
from prefrun.testing.reward import assert_sound
from prefrun.testing.seeding import seeded
from prefrun.testing.suite import Property, Report, Suite, settle

JUDGED = 8
"""Held-out records that the data's own reward is tried on."""


class DataSubject(ComponentSubject):
    """A data source and what it loads."""

    @cached_property
    def split(self) -> DataSplit:
        """The records under seed 0."""
        return self.load(0)

    def load(self, seed: int) -> DataSplit:
        """Load with a new instance."""
        split = self.build().load(seed)
        assert isinstance(split, DataSplit), f"load() returned a {type(split).__name__}"
        return split


def load_returns_records(subject: DataSubject) -> None:
    """There are training records, a name, and an objective."""
    assert len(subject.split.train), "there is no training record"
    assert subject.split.name.strip(), "the name is empty"
    assert subject.split.objective.strip(), "the objective is empty"


def load_is_deterministic(subject: DataSubject) -> None:
    """The same seed gives the same records in the same order, whatever drew random numbers."""
    with seeded(1):
        first = subject.load(3)
    with seeded(2):
        second = subject.load(3)
    for part in ("train", "test"):
        one, other = list(getattr(first, part)), list(getattr(second, part))
        assert one == other, f"two loads with the same seed differ in `{part}`"


def seed_is_used_or_not(subject: DataSubject) -> None:
    """A source that says `uses_seed = False` gives the same records at every seed."""
    if getattr(subject.component.load(), "uses_seed", True):
        raise SkipTest("the source uses the seed")
    assert subject.load(3).fingerprint == subject.split.fingerprint, (
        "uses_seed is False, but seeds 0 and 3 give different records"
    )


def fingerprint_is_stable(subject: DataSubject) -> None:
    """Hex digits, equal for equal content."""
    first, second = subject.split.fingerprint, subject.load(0).fingerprint
    assert first, "the fingerprint is empty"
    assert set(first) <= set("0123456789abcdef"), f"the fingerprint {first!r} is not hexadecimal"
    assert first == second, f"two loads have the fingerprints {first} and {second}"


def records_are_valid(subject: DataSubject) -> None:
    """Every record passes `PreferenceTree.validate`."""
    for tree in (*subject.split.train, *subject.split.test):
        tree.validate(min_branches=0)


def records_have_labels(subject: DataSubject) -> None:
    """Where one record is scored or ranked for the objective, all are."""
    trees = [t for t in (*subject.split.train, *subject.split.test) if len(t.branches) > 1]
    missing = []
    for tree in trees:
        try:
            tree.labels(subject.split.objective)
        except DataError:
            missing.append(tree.id)
    if trees and len(missing) == len(trees):
        raise SkipTest(f"no record has labels for '{subject.split.objective}'")
    assert not missing, f"{len(missing)} of {len(trees)} have no label, such as {missing[0]}"


def ids_are_unique(subject: DataSubject) -> None:
    """No record occurs twice, nor in both training and test."""
    counts = Counter(tree.id for tree in (*subject.split.train, *subject.split.test))
    twice = [name for name, count in counts.items() if count > 1]
    both = {tree.id for tree in subject.split.train} & {tree.id for tree in subject.split.test}
    assert not both, f"{len(both)} records are in train and test, such as {min(both)}"
    assert not twice, f"{len(twice)} ids occur more than once, such as {twice[0]}"


def counts_add_up(subject: DataSubject) -> None:
    """read = used + skipped, with one line per skipped record."""
    counts = subject.split.counts
    total = counts.used + counts.skipped
    assert counts.read == total, (
        f"read {counts.read}, but used {counts.used} + skipped {counts.skipped} = {total}"
    )
    lines = len(counts.problems)
    assert lines == counts.skipped, f"{counts.skipped} records skipped, {lines} problems listed"


def own_reward_is_sound(subject: DataSubject) -> None:
    """The data's judge gives one finite score per answer, in any order, every time."""
    if subject.split.reward is None:
        raise SkipTest("the data bring no reward")
    assert_sound(subject.split.reward, (subject.split.test or subject.split.train)[:JUDGED])


LOADED = ("load_returns_records",)
PROPERTIES = (
    *shared.PROPERTIES,
    Property(load_returns_records, ("factory_loads",)),
    Property(load_is_deterministic, LOADED),
    Property(seed_is_used_or_not, LOADED),
    Property(fingerprint_is_stable, LOADED),
    Property(records_are_valid, LOADED),
    Property(records_have_labels, LOADED),
    Property(ids_are_unique, LOADED),
    Property(counts_add_up, LOADED),
    Property(own_reward_is_sound, LOADED),
)


def check_data(
    data: str | Component,
    *,
    overrides: Sequence[str] = (),
) -> Report:
    """Run every check of a data source and return the verdicts.

    DATA: what follows `data=`, or a Component; it is loaded five times, so choose a small source by
    OVERRIDES, such as 'path=FILE'. Further arguments and errors as for `check_algorithm`.
    """
    return settle(suite_of(data, overrides))


def suite_of(
    data: str | Component,
    overrides: Sequence[str] = (),
) -> Suite:
    """Return the checks of a data source, none of them judged yet."""
    subject = DataSubject(find_component("data", data), overrides)
    return Suite(subject, PROPERTIES)
