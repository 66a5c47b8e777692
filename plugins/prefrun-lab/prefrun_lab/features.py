"""The feature vectors of a record's answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefrun.errors import DataError
from prefrun.records.tree import PreferenceTree

FEATURES = "features"
"""Key in a record's metadata: per branch a vector of numbers, all equally long; a numpy array
[K, D], or a list of K arrays or lists."""
REMEDY = (
    "give every answer of every record equally many numbers, in metadata.features; for text choose "
    "a language model (model=hf, tiny, scratch)"
)
Matrix = NDArray[np.float32]


def features_of(tree: PreferenceTree, width: int | None = None, others: str = "") -> Matrix:
    """Return the features of TREE's answers [K, D]; D must be WIDTH, which OTHERS have, if given.

    Raises DataError, naming record and field, if they are missing or cannot be used.
    """
    given = tree.metadata.get(FEATURES)
    if given is None and all(branch.features is not None for branch in tree.branches):
        given = [branch.features for branch in tree.branches]
    if given is None:
        raise _error(tree, "", "is missing")
    if isinstance(given, np.ndarray) and given.ndim == 2:
        return _matrix(tree, given, width, others)
    if not isinstance(given, Sequence) or len(given) != len(tree.branches):
        raise _error(tree, "", f"must be a list of {len(tree.branches)}, one per answer")
    rows = [_row(tree, place, row) for place, row in enumerate(given)]
    wanted = width or (len(rows[0]) if rows else 0)
    for place, row in enumerate(rows):
        if len(row) != wanted:
            other = f"{others} {wanted}" if width else f"that of the first answer has {wanted}"
            raise _error(tree, f"[{place}]", f"has {len(row)} numbers, {other}")
    return np.stack(rows) if rows else np.zeros((0, wanted), np.float32)


def with_features(tree: PreferenceTree, features: Matrix) -> PreferenceTree:
    """Return TREE with FEATURES [K, D] in its branches."""
    rows = zip(tree.branches, features, strict=True)
    return replace(tree, branches=tuple(replace(branch, features=row) for branch, row in rows))


def attached(tree: PreferenceTree) -> tuple[Matrix, ...]:
    """Return what `with_features` put into TREE's branches, [D] each.

    Raises DataError for a branch that an algorithm added.
    """
    for place, branch in enumerate(tree.branches):
        if branch.features is None:
            raise DataError(
                "the algorithm added an answer, which has no features",
                record=tree.id,
                field=f"branches[{place}].features",
                remedy="choose another algorithm, or a language model (model=hf, tiny, scratch)",
            )
    return tuple(branch.features for branch in tree.branches)


def _matrix(tree: PreferenceTree, given: NDArray[Any], width: int | None, others: str) -> Matrix:
    """Return GIVEN [K, D] as it is, if it fits: without a step per answer, which takes longer."""
    count, length = given.shape
    if count != len(tree.branches):
        raise _error(tree, "", f"has {count} rows, not {len(tree.branches)}, one per answer")
    if not length or (width and length != width):
        wanted = f"{others} {width}" if width else "at least 1 is needed"
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
