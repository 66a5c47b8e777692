"""Differentiable odd-even sorting network with Cauchy comparators (arXiv 2301.02009).

A comparator mixes two neighbours a, b (ascending order is wanted) by alpha = atan(s (b - a)) / pi +
1/2, the probability that they stand rightly: low = alpha a + (1 - alpha) b, high = (1 - alpha) a +
alpha b. Each layer is thus a symmetric matrix M_l, and P = M_1 ... M_n is the soft permutation:
P[i, r] is the probability that item i ends at rank r, 0 the smallest.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def comparator_weights(
    values: Tensor, sizes: Tensor, steepness: float
) -> tuple[Tensor, list[Tensor]]:
    """Send values through a network of as many layers as a row has items.

    values: [B, N]; sizes: [B] int64, a row's items stand in its first places, the others neither
    move nor are compared. steepness: s. Returns the softly sorted values [B, N] and per layer l
    alpha [B, M] of the comparators (i, i + 1), i = l mod 2, (l mod 2) + 2, ...
    """
    width = values.shape[-1]
    layers = []
    for layer in range(width):
        first = layer % 2
        last = first + 2 * ((width - first) // 2)
        difference = values[:, first + 1 : last : 2] - values[:, first:last:2]
        alpha = torch.atan(steepness * difference) / math.pi + 0.5
        places = first + 1 + 2 * torch.arange(alpha.shape[-1], device=values.device)
        active = (places < sizes.unsqueeze(-1)) & (layer < sizes.unsqueeze(-1))
        alpha = alpha.masked_fill(~active, 1.0)
        layers.append(alpha)
        values = mix(values.unsqueeze(-1), alpha, first).squeeze(-1)
    return values, layers


def rank_masses(layers: list[Tensor], wanted: Tensor) -> Tensor:
    """Probability that an item ends in a set of ranks, P wanted, without making P.

    layers: of `comparator_weights`; wanted: [B, N, R], 1 where a rank belongs to set R, else 0.
    Returns [B, N, R] per input item. With the identity this is P itself. O(N^2 R) per row.
    """
    for layer in range(len(layers) - 1, -1, -1):
        wanted = mix(wanted, layers[layer], layer % 2)
    return wanted


def mix(values: Tensor, alpha: Tensor, first: int) -> Tensor:
    """Apply one layer to values [B, N, R]: alpha [B, M], places from FIRST on."""
    last = first + 2 * alpha.shape[-1]
    low, high = values[:, first:last:2], values[:, first + 1 : last : 2]
    alpha = alpha.unsqueeze(-1)
    mixed = torch.stack([alpha * low + (1 - alpha) * high, (1 - alpha) * low + alpha * high], dim=2)
    return torch.cat([values[:, :first], mixed.flatten(1, 2), values[:, last:]], dim=1)
