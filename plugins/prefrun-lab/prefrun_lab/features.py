"""The feature vectors of records: read from their metadata, and kept with their answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefrun.errors import ConfigError, DataError
from prefrun.records.tree import PreferenceTree

FEATURES = "features"
"""Key in a record's metadata: per branch a vector of numbers, all equally long; a numpy array
[K, D], or a list of K arrays or lists."""
REMEDY = "give every answer of every record equally many numbers, in metadata.features"
Matrix = NDArray[np.float32]
Vectors = Mapping[str | None, Matrix]
"""Feature vector by the mark of its answer."""


def features_of(tree: PreferenceTree, width: int | None = None) -> Matrix:
    """Return the features of TREE's answers [K, D]; D must be WIDTH, where that is given.

    Raises DataError, naming record and field, where they are missing or cannot be used.
    """
    given = tree.metadata.get(FEATURES)
    if given is None:
        raise _error(tree, "", "is missing")
    if isinstance(given, np.ndarray) and given.ndim == 2:
        return _matrix(tree, given, width)
    if not isinstance(given, Sequence) or len(given) != len(tree.branches):
        raise _error(tree, "", f"must be a list of {len(tree.branches)}, one per answer")
    rows = [_row(tree, place, row) for place, row in enumerate(given)]
    wanted = width or (len(rows[0]) if rows else 0)
    for place, row in enumerate(rows):
        if len(row) != wanted:
            other = "the first record's have" if width else "that of the first answer has"
            raise _error(tree, f"[{place}]", f"has {len(row)} numbers, {other} {wanted}")
    return np.stack(rows) if rows else np.zeros((0, wanted), np.float32)


def marked(trees: Sequence[PreferenceTree]) -> tuple[list[PreferenceTree], Vectors]:
    """Return TREES with a mark in each branch's `source`, and the features by mark.

    An algorithm's `prepare` may reorder, split and relabel; a branch keeps its mark.
    """
    marks: dict[str | None, Matrix] = {}
    result = []
    for number, tree in enumerate(trees):
        names = [f"{number}/{place}" for place in range(len(tree.branches))]
        marks.update(zip(names, features_of(tree), strict=True))
        branches = zip(tree.branches, names, strict=True)
        result.append(
            replace(tree, branches=tuple(replace(branch, source=name) for branch, name in branches))
        )
    return result, marks


def features_by_mark(tree: PreferenceTree, vectors: Vectors, base: str) -> Matrix:
    """Return the features [K, D] of a prepared TREE.

    Raises ConfigError where the loss BASE has written an answer of its own.
    """
    for place, branch in enumerate(tree.branches):
        if branch.source not in vectors:
            raise ConfigError(
                f"algo.base={base} adds answers of its own to the records (record {tree.id}, "
                f"branches[{place}]), and these have no features\n"
                "  remedy: choose another algo.base, or a language model: model=scratch"
            )
    return np.stack([vectors[branch.source] for branch in tree.branches])


def _matrix(tree: PreferenceTree, given: NDArray[Any], width: int | None) -> Matrix:
    """Return GIVEN [K, D] as it is, if it fits: without a step per answer, which takes longer."""
    count, length = given.shape
    if count != len(tree.branches):
        raise _error(tree, "", f"has {count} rows, not {len(tree.branches)}, one per answer")
    if not length or (width and length != width):
        wanted = f"the first record's have {width}" if width else "at least 1 is needed"
        raise _error(tree, "", f"has rows of {length} numbers, {wanted}")
    try:
        matrix: Matrix = np.asarray(given, dtype=np.float32)
    except (TypeError, ValueError):
        raise _error(tree, "", f"must hold numbers, not {given.dtype}") from None
    if not np.isfinite(matrix).all():
        place, at = (int(index[0]) for index in np.nonzero(~np.isfinite(matrix)))
        raise _error(tree, f"[{place}][{at}]", f"{given[place, at]!r} is not a finite number")
    return matrix


def _row(tree: PreferenceTree, place: int, given: Any) -> Matrix:
    try:
        row: Matrix = np.asarray(given, dtype=np.float32)
    except (TypeError, ValueError):
        row = np.zeros((0,), np.float32)
    if row.ndim != 1 or not row.size:
        raise _error(tree, f"[{place}]", f"must be a list of numbers, not {given!r:.40}")
    if not np.isfinite(row).all():
        at = int(np.flatnonzero(~np.isfinite(row))[0])
        raise _error(tree, f"[{place}][{at}]", f"{given[at]!r} is not a finite number")
    return row


def _error(tree: PreferenceTree, where: str, problem: str) -> DataError:
    return DataError(problem, record=tree.id, field=f"metadata.{FEATURES}{where}", remedy=REMEDY)
