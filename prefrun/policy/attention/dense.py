"""Tree attention with a mask, one tree at a time: for windows, soft caps and any device."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from prefrun.policy.attention.layout import RowLayout


def dense_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    layout: RowLayout,
    scale: float,
    window: int | None = None,
    softcap: float | None = None,
) -> Tensor:
    """[1, H, T, D], and keys and values [1, H', T, D] with H' dividing H -> [1, T, H, D].

    WINDOW limits how far back a token sees, in positions on its path; SOFTCAP c turns a score s
    into c tanh(s / c), as Gemma 2 does.
    """
    groups = query.shape[1] // key.shape[1]
    key, value = (tensor.repeat_interleave(groups, 1) for tensor in (key, value))
    lengths = [stop - start for start, stop in layout.trees]
    split = (torch.split(tensor, lengths, dim=2) for tensor in (query, key, value))
    parts = zip(layout.trees, *split, strict=True)
    outputs = []
    for (start, stop), q, k, v in parts:
        mask = _mask(layout, start, stop, window)
        if softcap is None:
            outputs.append(scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale))
        else:
            outputs.append(_capped(q, k, v, mask, scale, softcap))
    return torch.cat(outputs, dim=2).transpose(1, 2)


def _mask(layout: RowLayout, start: int, stop: int, window: int | None) -> Tensor:
    place = ("mask", start, window)
    if place not in layout.prepared:
        layout.prepared[place] = layout.mask(start, stop, window)
    mask: Tensor = layout.prepared[place]
    return mask


def _capped(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, scale: float, softcap: float) -> Tensor:
    scores = softcap * torch.tanh(q @ k.transpose(-1, -2) * (scale / softcap))
    exact = torch.promote_types(q.dtype, torch.float32)
    shares = scores.masked_fill(~mask, -torch.inf).softmax(-1, dtype=exact)
    return shares.to(v.dtype) @ v
