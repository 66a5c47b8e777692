"""Changes of a batch that must not change a loss, and copies of batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from prefrun.policy.batch import BranchBatch

AXES = {
    "policy_token_logps": "BKT",
    "token_mask": "BKT",
    "branch_mask": "BK",
    "scores": "BK",
    "ranks": "BK",
    "weights": "B",
    "branch_weights": "BK",
    "step_index": "BKT",
    "step_scores": "BKS",
    "reference_token_logps": "BKT",
    "objectives": "BK",
    "branch_extras": "BK",
    "extras": "BKT",
    "step_embeddings": "BKSH",
    "last_hidden": "BKH",
    "prompt_hidden": "BH",
    "hidden": "BKTH",
}
"""What the axes of a field are: trees, branches, tokens, steps, hidden states."""

GARBAGE: dict[str, Any] = {
    "policy_token_logps": -4.0,
    "reference_token_logps": -9.0,
    "extras": -2.0,
    "scores": 77.0,
    "objectives": -55.0,
    "ranks": 9,
    "branch_weights": 8.0,
    "step_index": 1,
    "step_scores": 33.0,
    "step_embeddings": 6.0,
    "last_hidden": -7.0,
    "hidden": 5.0,
    "branch_extras": -3.0,
}
"""What `spoil_padding` writes, by field."""


def map_tensors(batch: BranchBatch, change: Callable[[str, Tensor], Tensor]) -> BranchBatch:
    """Return BATCH with CHANGE(field name, tensor) in place of every tensor."""
    changed: dict[str, Any] = {}
    for name in AXES:
        value = getattr(batch, name)
        if isinstance(value, Tensor):
            changed[name] = change(name, value)
        elif value is not None:
            changed[name] = {key: change(name, tensor) for key, tensor in value.items()}
    return replace(batch, **changed)


def copy_batch(batch: BranchBatch) -> BranchBatch:
    """Return a copy that shares no memory; gradients flow back through it."""
    return map_tensors(batch, lambda _, tensor: tensor.clone())


def cast(batch: BranchBatch, dtype: torch.dtype) -> BranchBatch:
    """Return BATCH with every floating-point tensor in DTYPE."""
    return map_tensors(
        batch, lambda _, tensor: tensor.to(dtype if tensor.is_floating_point() else tensor.dtype)
    )


def select_trees(batch: BranchBatch, order: list[int]) -> BranchBatch:
    """Return the trees of BATCH at the positions in ORDER."""
    chosen = map_tensors(batch, lambda _, tensor: tensor[order])
    return replace(
        chosen,
        ids=tuple(batch.ids[number] for number in order),
        annotators=tuple(batch.annotators[number] for number in order),
    )


def permute_branches(batch: BranchBatch, seed: int) -> BranchBatch:
    """Return BATCH with the real branches of each tree in another order; padding stays last."""
    draw = torch.Generator().manual_seed(seed)
    orders = torch.arange(batch.branch_mask.shape[1]).repeat(len(batch.branch_mask), 1)
    for tree, count in enumerate(batch.branch_mask.sum(-1).tolist()):
        order = torch.randperm(count, generator=draw)
        unchanged = order.equal(torch.arange(count))
        orders[tree, :count] = order.roll(1) if unchanged else order

    def shuffle(name: str, tensor: Tensor) -> Tensor:
        if "K" not in AXES[name]:
            return tensor
        index = orders.view(*orders.shape, *[1] * (tensor.dim() - 2))
        return tensor.gather(1, index.expand(tensor.shape))

    return map_tensors(batch, shuffle)


def add_padding(batch: BranchBatch, branches: int, tokens: int) -> BranchBatch:
    """Return BATCH with so many more padding branches and padding tokens."""

    def grow(name: str, tensor: Tensor) -> Tensor:
        fill = torch.nan if name == "step_scores" else 0
        for axis, extra in (("K", branches), ("T", tokens)):
            place = AXES[name].find(axis)
            if place >= 0:
                shape = list(tensor.shape)
                shape[place] = extra
                tensor = torch.cat([tensor, tensor.new_full(shape, fill)], dim=place)
        return tensor

    return map_tensors(batch, grow)


def spoil_padding(batch: BranchBatch) -> BranchBatch:
    """Return BATCH with garbage, finite and different from 0, at every padded position."""

    def spoil(name: str, tensor: Tensor) -> Tensor:
        if name not in GARBAGE:
            return tensor
        mask = batch.branch_mask
        if "T" in AXES[name]:
            mask = batch.token_mask
        if mask.dim() < tensor.dim():
            mask = mask.view(*mask.shape, *[1] * (tensor.dim() - 2)).expand(tensor.shape)
        return tensor.masked_fill(~mask, GARBAGE[name])

    return map_tensors(batch, spoil)
