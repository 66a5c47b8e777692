"""Which records the model can learn from, once it has read them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from prefrun.errors import DataError
from prefrun.models.kind import ModelKind
from prefrun.records.config import OnBadRecord
from prefrun.records.dataset import SKIP
from prefrun.records.split import DataSplit, ReadCounts
from prefrun.records.tree import PreferenceTree


@dataclass(frozen=True, slots=True)
class Usable:
    """A data source's records, without those that the model cannot use."""

    given: DataSplit
    """What was read. It is kept: `encoded` knows its records by identity."""
    split: DataSplit
    """What is left of it."""
    encoded: Mapping[int, Any]
    """The training records as the model reads them, by the records' `id()`."""
    problems: tuple[str, ...]
    """One line per record that was left out."""
    notes: tuple[str, ...]
    """What the user must know of how the model reads them."""


def usable_records(kind: ModelKind, data: DataSplit, on_bad_record: OnBadRecord | None) -> Usable:
    """Encode DATA for a model of KIND, and leave out the records that it cannot use.

    These are those it cannot read, and those that say nothing to it: see `ModelKind.check`.
    ON_BAD_RECORD: None if the data source has no such key. Raises DataError for the first of them
    unless they are skipped, or if none is left.
    """
    problems: list[str] = []
    train = _read("training", data.train, kind, on_bad_record, problems)
    test = _read("held-out", data.test, kind, on_bad_record, problems)
    left = [tree for tree, _ in train], [tree for tree, _ in test]
    encoded = [each for _, each in (*train, *test)]
    return Usable(
        given=data,
        split=_without(data, *left, problems),
        encoded={id(tree): each for tree, each in train},
        problems=tuple(problems),
        notes=tuple(kind.notes([*left[0], *left[1]], encoded)),
    )


def _read(
    part: str,
    trees: Sequence[PreferenceTree],
    kind: ModelKind,
    on_bad_record: OnBadRecord | None,
    problems: list[str],
) -> list[tuple[PreferenceTree, Any]]:
    """Return the usable TREES, encoded, too, and add a line to PROBLEMS for each other one."""
    left = []
    adopted = _adopted(trees, kind, on_bad_record, problems)
    for tree, encoded in zip(adopted, kind.encode_each(adopted), strict=True):
        try:
            if isinstance(encoded, DataError):
                raise encoded
            kind.check(tree, encoded)
        except DataError as error:
            _refuse(error, on_bad_record)
            problems.append(str(_with_remedy(error, None)))
        else:
            left.append((tree, encoded))
    if trees and not left:
        raise DataError(
            f"the model can use none of {len(trees)} {part} record(s): {problems[-1]}",
            remedy="choose another model, or change the data",
        )
    return left


def _adopted(
    trees: Sequence[PreferenceTree],
    kind: ModelKind,
    on_bad_record: OnBadRecord | None,
    problems: list[str],
) -> list[PreferenceTree]:
    adopted = []
    for tree in trees:
        try:
            adopted.append(kind.adopt(tree))
        except DataError as error:
            _refuse(error, on_bad_record)
            problems.append(str(_with_remedy(error, None)))
    return adopted


def _refuse(error: DataError, on_bad_record: OnBadRecord | None) -> None:
    """Raise ERROR unless bad records are skipped."""
    if on_bad_record is OnBadRecord.skip:
        return
    remedy = error.remedy or "correct or remove the record"
    raise _with_remedy(error, f"{remedy}, or {SKIP}" if on_bad_record else remedy) from error


def _with_remedy(error: DataError, remedy: str | None) -> DataError:
    return DataError(
        error.problem, file=error.file, record=error.record, field=error.field, remedy=remedy
    )


def _without(
    data: DataSplit,
    train: Sequence[PreferenceTree],
    test: Sequence[PreferenceTree],
    problems: Sequence[str],
) -> DataSplit:
    """Return DATA with TRAIN and TEST only. Its fingerprint is another if records are gone."""
    if not problems:
        return replace(data, train=train, test=test)
    counts, gone = data.counts, len(problems)
    digest = hashlib.sha256("\n".join([data.fingerprint, *problems]).encode())
    return replace(
        data,
        train=train,
        test=test,
        fingerprint=digest.hexdigest(),
        counts=ReadCounts(
            counts.read,
            counts.used - gone,
            counts.skipped + gone,
            [*counts.problems, *problems],
        ),
    )
