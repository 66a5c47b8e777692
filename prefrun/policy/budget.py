"""Divides encoded trees into forward passes of a given size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from prefrun.models.kind import Measure


@dataclass(frozen=True, slots=True)
class Piece:
    """A tree, or those of its branches that go through the model together."""

    index: int
    """Which tree it is of."""
    branches: tuple[int, ...]
    """Which of that tree's branches it has, ascending."""
    encoded: Any
    """The tree with these branches."""
    whole: bool
    """Whether it has all of them."""


def cut_to_budget(trees: Sequence[Any], measure: Measure, budget: int) -> list[Piece]:
    """Return encoded TREES, those larger than BUDGET in pieces that share prompt and prefix anew.

    A branch's numbers do not depend on the others, so cutting changes none. A single branch above
    the budget is a piece of its own.
    """
    pieces = []
    for index, tree in enumerate(trees):
        count = len(tree.step_ends)
        if measure.size(tree) <= budget or count < 2:
            pieces.append(Piece(index, tuple(range(count)), tree, True))
        else:
            pieces.extend(_cut(index, tree, measure, budget))
    return pieces


def _cut(index: int, tree: Any, measure: Measure, budget: int) -> Iterator[Piece]:
    taken: list[int] = []
    for branch in measure.neighbours(tree):
        if taken and measure.size(tree.only([*taken, branch])) > budget:
            yield _piece(index, tree, taken)
            taken = []
        taken.append(branch)
    yield _piece(index, tree, taken)


def _piece(index: int, tree: Any, branches: list[int]) -> Piece:
    kept = sorted(branches)
    return Piece(index, tuple(kept), tree.only(kept), len(kept) == len(tree.step_ends))


def in_budget(pieces: Sequence[Piece], measure: Measure, budget: int) -> Iterator[list[Piece]]:
    """Yield PIECES in their order, as many at a time as BUDGET holds, and at least one.

    What is left of the pieces after some batches gives the batches that would have followed.
    """
    batch: list[Piece] = []
    total = 0
    for piece in pieces:
        size = measure.size(piece.encoded)
        if batch and total + size > budget:
            yield batch
            batch, total = [], 0
        batch.append(piece)
        total += size
    if batch:
        yield batch
