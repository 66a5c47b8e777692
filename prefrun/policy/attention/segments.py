"""Exact tree attention on a CPU without a mask: chains are causal, blocks are full.

Each chain and block is one call of PyTorch's flash kernel. A query's results over several parts
are merged by their log-sum-exps. In the backward pass every part gets the merged output and
log-sum-exp, from which the kernel makes the part's share of the gradient: the softmax over all
parts (the same algebra as in ring attention, Liu et al. 2023).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from prefrun.policy.attention.layout import RowLayout

forward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward
Part = tuple[slice, slice, bool]
"""Queries, keys, whether it is causal."""


def segment_attention(
    query: Tensor, key: Tensor, value: Tensor, layout: RowLayout, scale: float
) -> Tensor:
    """[1, H, T, D], and keys and values [1, H', T, D] with H' dividing H -> [1, T, H, D]."""
    apply: Any = _Segments.apply
    output: Tensor = apply(query, key, value, layout, scale)
    return output


def _parts(layout: RowLayout) -> Iterator[Part]:
    for start, stop in layout.chains:
        yield slice(start, stop), slice(start, stop), True
    for block in layout.blocks:
        queries = slice(block.query_start, block.query_stop)
        yield queries, slice(block.key_start, block.key_stop), False


class _Segments(torch.autograd.Function):
    """See `segment_attention`."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, layout: RowLayout, scale: float
    ) -> Tensor:
        heads, length = query.shape[1:3]
        exact = torch.promote_types(query.dtype, torch.float32)
        output = query.new_empty(1, length, heads, value.shape[-1], dtype=exact).transpose(1, 2)
        total = query.new_empty(1, heads, length, dtype=exact)
        for queries, keys, causal in _parts(layout):
            part, part_total = forward(
                query[:, :, queries], key[:, :, keys], value[:, :, keys], 0.0, causal, scale=scale
            )
            if causal:  # the chains come first and cover the row
                output[:, :, queries] = part
                total[:, :, queries] = part_total
                continue
            share = torch.sigmoid(part_total - total[:, :, queries])
            output[:, :, queries].lerp_(part.to(exact), share.unsqueeze(-1))
            total[:, :, queries] = torch.logaddexp(total[:, :, queries], part_total)
        output = output.to(query.dtype)
        ctx.save_for_backward(query, key, value, output, total)
        ctx.layout, ctx.scale = layout, scale
        return output.transpose(1, 2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, output, total = ctx.saved_tensors
        gradient = gradients[0].transpose(1, 2)
        sums = [torch.zeros_like(tensor) for tensor in (query, key, value)]
        for queries, keys, causal in _parts(ctx.layout):
            shares = backward(
                gradient[:, :, queries],
                query[:, :, queries],
                key[:, :, keys],
                value[:, :, keys],
                output[:, :, queries],
                total[:, :, queries],
                0.0,
                causal,
                scale=ctx.scale,
            )
            for whole, share, part in zip(sums, shares, (queries, keys, keys), strict=True):
                whole[:, :, part] += share
        return (*sums, None, None)
