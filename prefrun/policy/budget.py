"""Divides trees into forward passes of a given number of tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prefrun.policy.packing import Packing
from prefrun.policy.tokenise import TokenisedTree


@dataclass(frozen=True, slots=True)
class Piece:
    """A tree, or those of its branches that go through the model together."""

    index: int
    """Which tree it is of."""
    branches: tuple[int, ...]
    """Which of that tree's branches it has, ascending."""
    tokens: TokenisedTree
    whole: bool
    """Whether it has all of them."""


def cut_to_budget(trees: Sequence[TokenisedTree], packing: Packing, budget: int) -> list[Piece]:
    """Return TREES, those of more than BUDGET tokens in pieces that share prompt and prefix anew.

    Log-probs of a branch do not depend on the others, so cutting changes none. A single branch
    above the budget is a piece of its own.
    """
    pieces = []
    for index, tree in enumerate(trees):
        if packing.tokens(tree) <= budget or len(tree.branches) < 2:
            pieces.append(Piece(index, tuple(range(len(tree.branches))), tree, True))
        else:
            pieces.extend(_cut(index, tree, packing, budget))
    return pieces


def _cut(index: int, tree: TokenisedTree, packing: Packing, budget: int) -> Iterator[Piece]:
    """Take branches in the order of their ids, so that neighbours share the most."""
    prompts = tree.prompts
    order = sorted(range(len(tree.branches)), key=lambda k: (*prompts[k], *tree.branches[k]))
    taken: list[int] = []
    for branch in order:
        if taken and packing.tokens(tree.only([*taken, branch])) > budget:
            yield _piece(index, tree, taken)
            taken = []
        taken.append(branch)
    yield _piece(index, tree, taken)


def _piece(index: int, tree: TokenisedTree, branches: list[int]) -> Piece:
    kept = sorted(branches)
    return Piece(index, tuple(kept), tree.only(kept), len(kept) == len(tree.branches))


def in_budget(pieces: Sequence[Piece], packing: Packing, budget: int) -> Iterator[list[Piece]]:
    """Yield PIECES in their order, as many at a time as BUDGET tokens hold, and at least one.

    What is left of the pieces after some batches gives the batches that would have followed.
    """
    batch: list[Piece] = []
    tokens = 0
    for piece in pieces:
        size = packing.tokens(piece.tokens)
        if batch and tokens + size > budget:
            yield batch
            batch, tokens = [], 0
        batch.append(piece)
        tokens += size
    if batch:
        yield batch
