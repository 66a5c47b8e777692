"""What an algorithm says about itself, and what it does to records."""

from __future__ import annotations

import copy
import re

from prefrun.algorithm import TRAINER_KEYS, Algorithm, LossAlgorithm
from prefrun.testing.algorithm.subject import AlgorithmSubject
from prefrun.testing.golden import golden_vectors
from prefrun.testing.seeding import seeded
from prefrun.testing.suite import Property
from prefrun.testing.trees import make_trees

SOURCE = re.compile(r"arxiv|doi|https?://|source|et al|proceedings|\(\d{4}\)", re.IGNORECASE)
"""Words that tell where a formula comes from."""


def is_an_algorithm(subject: AlgorithmSubject) -> None:
    """The factory makes a prefrun.algorithm.Algorithm."""
    kind = type(subject.build())
    assert issubclass(kind, Algorithm), f"{subject.component.factory} made a {kind.__name__}"


def card_names_its_source(subject: AlgorithmSubject) -> None:
    """`prefrun explain` has a text, and it says where the method comes from."""
    card = subject.algorithm.card
    assert card.strip(), "`card` is empty"
    assert SOURCE.search(card), "`card` names no source: a paper, an address, or 'Source: ...'"


def trainer_keys_are_known(subject: AlgorithmSubject) -> None:
    """`trainer_keys` and `instead` name keys of `trainer`, and none is in both."""
    read, instead = subject.algorithm.trainer_keys, subject.algorithm.instead
    unknown = sorted({*read, *instead} - TRAINER_KEYS)
    assert not unknown, f"`trainer` has no key {', '.join(unknown)}"
    both = sorted(read & set(instead))
    assert not both, f"the run reads {', '.join(both)}, so nothing is to be set `instead`"


def prepare_keeps_records_valid(subject: AlgorithmSubject) -> None:
    """What `prepare` returns passes `PreferenceTree.validate` and has enough branches."""
    for tree in subject.losses.prepare(make_trees(), seed=0):
        tree.validate(subject.losses.min_branches)


def prepare_is_deterministic(subject: AlgorithmSubject) -> None:
    """The same records and seed give the same records, whatever else drew random numbers."""
    trees = make_trees()
    before = copy.deepcopy(trees)
    with seeded(1):
        first = subject.losses.prepare(trees, seed=3)
    assert trees == before, "`prepare` changed the records it was given"
    with seeded(2):
        second = subject.losses.prepare(trees, seed=3)
    assert first == second, "two calls of `prepare` with the same seed return different records"


def handles_losses(factory: object) -> bool:
    """Whether FACTORY makes a `LossAlgorithm`; also true where it is no Algorithm at all."""
    if isinstance(factory, type) and issubclass(factory, Algorithm):
        return issubclass(factory, LossAlgorithm)
    return True


ANY_ALGORITHM = (
    Property(is_an_algorithm, ("factory_loads",)),
    Property(card_names_its_source, ("is_an_algorithm",)),
    Property(trainer_keys_are_known, ("is_an_algorithm",)),
    Property(golden_vectors, ("factory_loads",), has_parts=True),
)
PREPARATION = (
    Property(prepare_keeps_records_valid, ("is_an_algorithm",)),
    Property(prepare_is_deterministic, ("is_an_algorithm",)),
)
