"""Log-probs of given tokens under a linear head, without the full logits.

Logits exist for one chunk of positions at a time. The gradients of hidden states and head are made
in one pass over the same chunks, from log-probs that were kept where all of them are small, and
are computed again where not. Sums are in at least float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

KEEP_BYTES = 128 << 20
"""Log-probs of all positions up to this size are kept for the backward pass."""
CHUNK_BYTES = 24 << 20
"""A chunk's logits. Larger buffers are mapped anew by the allocator each time, which is slow."""
Extra = Callable[[Tensor], Tensor]
"""[N, V] log-probs -> [N]."""


def chunk_rows(vocabulary: int) -> int:
    """Return how many positions' float32 logits fit into one chunk."""
    return min(max(CHUNK_BYTES // (4 * vocabulary), 64), 1024)


def at_least_float32(values: Tensor) -> Tensor:
    """Widen half precision; leave float32 and float64."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


@dataclass(frozen=True, slots=True)
class LinearHead:
    """logits = cap(scale * (W h + b)), with cap(z) = c tanh(z / c) where there is a cap c."""

    weight: Tensor
    """[V, H]."""
    bias: Tensor | None
    scale: float
    softcap: float | None

    def logits(self, rows: Tensor) -> Tensor:
        """[N, H] -> [N, V] in at least float32."""
        logits = at_least_float32(torch.nn.functional.linear(rows, self.weight, self.bias))
        if self.scale != 1.0:
            logits.mul_(self.scale)
        if self.softcap is not None:
            logits.div_(self.softcap).tanh_().mul_(self.softcap)
        return logits

    def slope(self, gradient: Tensor, capped: Tensor) -> Tensor:
        """Take d/d(capped logits) [N, V] back to d/d(W h + b), in place."""
        if self.softcap is not None:
            gradient.mul_(1 - (capped / self.softcap) ** 2)
        return gradient.mul_(self.scale) if self.scale != 1.0 else gradient


def linear_logps(
    rows: Tensor, targets: Tensor, head: LinearHead, extras: Sequence[Extra] = ()
) -> tuple[Tensor, ...]:
    """Return log softmax(HEAD(ROWS))[TARGETS] and EXTRAS of the log-probs, each [N].

    ROWS: [N, H]; TARGETS: [N] int64. Differentiable, once, in ROWS, weight and bias; extras carry
    no gradient.
    """
    apply: Any = _LinearLogps.apply
    columns: tuple[Tensor, ...] = apply(
        rows, head.weight, head.bias, targets, head.scale, head.softcap, extras
    )
    return columns


class _LinearLogps(torch.autograd.Function):
    """See `linear_logps`."""

    @staticmethod
    def forward(
        ctx: Any,
        rows: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        scale: float,
        softcap: float | None,
        extras: Sequence[Extra],
    ) -> tuple[Tensor, ...]:
        head = LinearHead(weight, bias, scale, softcap)
        size = chunk_rows(len(weight))
        learns = any(ctx.needs_input_grad[:3])
        keeps = learns and 4 * len(weight) * len(rows) <= KEEP_BYTES
        exact = torch.promote_types(rows.dtype, torch.float32)
        columns = [rows.new_zeros(len(rows), dtype=exact) for _ in range(1 + len(extras))]
        totals = rows.new_zeros(len(rows), dtype=exact) if softcap is not None else None
        kept = []
        for start in range(0, len(rows), size):
            part = slice(start, start + size)
            logits = head.logits(rows[part])
            logps = logits.log_softmax(-1)
            chosen = targets[part, None]
            columns[0][part] = logps.gather(-1, chosen).squeeze(-1)
            if totals is not None:
                totals[part] = (logits.gather(-1, chosen) - logps.gather(-1, chosen)).squeeze(-1)
            for column, extra in zip(columns[1:], extras, strict=True):
                column[part] = extra(logps)
            if keeps:
                kept.append(logps)
        ctx.save_for_backward(rows, weight, bias, targets, totals, *kept)
        ctx.scale, ctx.softcap = scale, softcap
        ctx.mark_non_differentiable(*columns[1:])
        return tuple(columns)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *rest: Tensor) -> tuple[Tensor | None, ...]:
        rows, weight, bias, targets, totals, *kept = ctx.saved_tensors
        head = LinearHead(weight, bias, ctx.scale, ctx.softcap)
        size = chunk_rows(len(weight))
        wants_rows, wants_weight, wants_bias = ctx.needs_input_grad[:3]
        d_rows = torch.zeros_like(rows) if wants_rows else None
        d_weight = torch.zeros_like(weight, dtype=gradient.dtype) if wants_weight else None
        d_bias = torch.zeros_like(bias, dtype=gradient.dtype) if wants_bias else None
        for number, start in enumerate(range(0, len(rows), size)):
            part = slice(start, start + size)
            logps = kept[number] if kept else head.logits(rows[part]).log_softmax(-1)
            slope = logps.exp().mul_(-gradient[part, None])
            slope.scatter_add_(-1, targets[part, None], gradient[part, None])
            capped = logps if totals is None else logps + totals[part, None]
            slope = head.slope(slope, capped)
            if d_bias is not None:
                d_bias += slope.sum(0)
            slope = slope.to(weight.dtype)
            if d_rows is not None:
                d_rows[part] = slope @ weight
            if d_weight is not None and d_weight.dtype == weight.dtype:
                d_weight.addmm_(slope.t(), rows[part])
            elif d_weight is not None:
                d_weight += slope.t() @ rows[part]
        return (
            d_rows,
            None if d_weight is None else d_weight.to(weight.dtype),
            None if d_bias is None else d_bias.to(weight.dtype),
            *[None] * 4,
        )
