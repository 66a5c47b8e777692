"""Numbers of many encoded trees without gradient, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from prefrun.policy.budget import Piece, cut_to_budget, in_budget
from prefrun.policy.collate import layout
from prefrun.policy.policy import BranchLogps
from prefrun.policy.tokenise import TokenisedTree

if TYPE_CHECKING:
    from prefrun.models.kind import ModelKind


def scored_batches(
    kind: ModelKind, trees: Sequence[Any], budget: int
) -> Iterator[list[tuple[Piece, BranchLogps]]]:
    """Yield pieces of size BUDGET in all, and their numbers, until every encoded tree is done.

    A number depends on its batch's shape in the last bits (about 1e-7 in float32). Batches follow
    `ModelKind.order`, so the same set of trees gives the same bits, and another set may not.
    """
    pieces = cut_to_budget(trees, kind, budget)
    order = kind.order([piece.encoded for piece in pieces])
    for batch in in_budget([pieces[index] for index in order], kind, budget):
        scored = _score(kind, [piece.encoded for piece in batch])
        yield list(zip(batch, scored, strict=True))


def numbers_of(kind: ModelKind, trees: Sequence[Any], budget: int) -> list[list[Tensor]]:
    """Return the numbers of encoded TREES by tree and branch, [T_k] each. See `scored_batches`."""
    result = [[torch.empty(0)] * len(tree.step_ends) for tree in trees]
    for piece, scored in chain.from_iterable(scored_batches(kind, trees, budget)):
        for branch, values in zip(piece.branches, scored.token_logps, strict=True):
            result[piece.index][branch] = values
    return result


def zeros_for(tree: Any) -> BranchLogps:
    """Return 0 for every number of an encoded TREE."""
    return BranchLogps(tuple(torch.zeros(ends[-1] if ends else 0) for ends in tree.step_ends))


def longest_first(trees: Sequence[TokenisedTree]) -> list[int]:
    """Order TREES by their longest path, ties by content: a function of the set, not its order."""

    def size(index: int) -> tuple[int, list[tuple[int, ...]], tuple[tuple[int, ...], ...]]:
        tree = trees[index]
        paths = zip(tree.prompts, tree.branches, strict=True)
        longest = max((len(prompt) + len(ids) for prompt, ids in paths), default=0)
        return longest, tree.prompts, tree.branches

    return sorted(range(len(trees)), key=size, reverse=True)


def _score(kind: ModelKind, trees: list[Any]) -> list[BranchLogps]:
    if not any(tree.step_ends for tree in trees):
        return [BranchLogps(()) for _ in trees]
    batch = to_device(kind.collate(trees) | layout(trees), kind.device)
    batch |= kind.draw(batch, torch.Generator().manual_seed(0))
    with inference(kind.module):
        numbers = kind.forward(kind.module, batch, ())[0].cpu()
    return [
        BranchLogps(
            tuple(
                numbers[b, k, : ends[-1] if ends else 0].clone()
                for k, ends in enumerate(tree.step_ends)
            )
        )
        for b, tree in enumerate(trees)
    ]


def to_device(batch: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """Move a batch's tensors."""
    return {
        name: value.to(device) if isinstance(value, torch.Tensor) else value
        for name, value in batch.items()
    }


@contextmanager
def inference(model: Any) -> Iterator[None]:
    """No gradient, evaluation mode; the mode is restored."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)
