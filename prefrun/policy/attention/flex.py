"""Tree attention on a GPU with FlexAttention: blocks that no token sees are never computed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

from prefrun.policy.attention.layout import RowLayout


def flex_tree_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    layout: RowLayout,
    scale: float,
    window: int | None = None,
    softcap: float | None = None,
) -> Tensor:
    """[1, H, T, D], and keys and values [1, H', T, D] with H' dividing H -> [1, T, H, D].

    WINDOW and SOFTCAP are those of `dense_attention`.
    """
    output: Tensor = _flex(query.device.type)(
        query,
        key,
        value,
        score_mod=None if softcap is None else _cap(softcap),
        block_mask=_block_mask(layout, window),
        scale=scale,
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return output.transpose(1, 2)


@cache
def _flex(device: str) -> Any:
    """FlexAttention is fast only compiled; a CPU takes it as it is, without gradient."""
    return torch.compile(flex_attention, dynamic=True) if device == "cuda" else flex_attention


@cache
def _cap(softcap: float) -> Callable[..., Tensor]:
    def cap(score: Tensor, *place: Tensor) -> Tensor:
        return softcap * torch.tanh(score / softcap)

    return cap


def _block_mask(layout: RowLayout, window: int | None) -> Any:
    place = ("flex", window)
    if place not in layout.prepared:
        ends, depth = layout.subtree_end, layout.depth

        def seen(batch: Tensor, head: Tensor, q: Tensor, k: Tensor) -> Tensor:
            on_path = (k <= q) & (q < ends[k])
            return on_path if window is None else on_path & (depth[q] - depth[k] < window)

        length = len(ends)
        layout.prepared[place] = create_block_mask(
            seen, None, None, length, length, device=str(ends.device)
        )
    return layout.prepared[place]
