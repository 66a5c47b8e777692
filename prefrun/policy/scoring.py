"""Log-probs of many tokenised trees without gradient, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from prefrun.policy.budget import Piece, cut_to_budget, in_budget
from prefrun.policy.collate import collate_tokens
from prefrun.policy.logprobs import token_logprobs
from prefrun.policy.packing import Packing
from prefrun.policy.policy import BranchLogps
from prefrun.policy.tokenise import TokenisedTree


def scored_batches(
    model: Any, trees: Sequence[TokenisedTree], pad_token_id: int, packing: Packing, budget: int
) -> Iterator[list[tuple[Piece, BranchLogps]]]:
    """Yield pieces of up to BUDGET tokens in all, and their log-probs, until every tree is done.

    A log-prob depends on its batch's shape in the last bits (about 1e-7 in float32). Batches follow
    `longest_first`, so the same set of trees gives the same bits, and another set may not.
    """
    pieces = cut_to_budget(trees, packing, budget)
    order = longest_first([piece.tokens for piece in pieces])
    for batch in in_budget([pieces[index] for index in order], packing, budget):
        scored = _score(model, [piece.tokens for piece in batch], pad_token_id, packing)
        yield list(zip(batch, scored, strict=True))


def longest_first(trees: Sequence[TokenisedTree]) -> list[int]:
    """Order TREES by their longest path, ties by content: a function of the set, not its order."""

    def size(index: int) -> tuple[int, list[tuple[int, ...]], tuple[tuple[int, ...], ...]]:
        tree = trees[index]
        paths = zip(tree.prompts, tree.branches, strict=True)
        longest = max((len(prompt) + len(ids) for prompt, ids in paths), default=0)
        return longest, tree.prompts, tree.branches

    return sorted(range(len(trees)), key=size, reverse=True)


def _score(
    model: Any, trees: list[TokenisedTree], pad_token_id: int, packing: Packing
) -> list[BranchLogps]:
    if not any(tree.branches for tree in trees):
        return [BranchLogps(()) for _ in trees]
    batch = to_device(collate_tokens(trees, pad_token_id, packing), model.device)
    with inference(model):
        logps = token_logprobs(model, batch)[0].cpu()
    return [
        BranchLogps(tuple(logps[b, k, : len(ids)].clone() for k, ids in enumerate(tree.branches)))
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
