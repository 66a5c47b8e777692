"""Lambda weights: by how much DCG changes when two items of a list swap ranks (LambdaRank)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

GAINS: dict[str, Callable[[Tensor], Tensor]] = {
    "exp2": lambda labels: torch.exp2(labels) - 1.0,
    "linear": lambda labels: labels,
}
"""Gain G of a label. The third choice, `constant`, has no G: every gap |G_i - G_j| is 1."""

LOGARITHMS: dict[str, Callable[[Tensor], Tensor]] = {"2": torch.log2, "e": torch.log}


@dataclass(frozen=True, slots=True)
class LambdaWeighting:
    """How a pair is weighted. The defaults are RAX's `dcg_lambdaweight`, as in the paper's runs."""

    gain: str = "exp2"
    """exp2: G = 2^psi - 1; linear: G = psi; constant: |G_i - G_j| = 1."""
    discount: str = "log"
    """log: 1/D(r) = 1/log(1 + r); constant: |1/D_i - 1/D_j| = 1."""
    log_base: str = "2"
    """Base of the logarithm in D: 2 (RAX) or e (the printed formula)."""
    scale: str = "rax"
    """rax: times the length of the list; paper: as printed, no factor."""
    topn: int | None = None
    """Ranks beyond topn have 1/D = 0, so a pair wholly beyond it has weight 0; None: no cut."""
    normalize: bool = False
    """Divide the gains by the list's ideal DCG."""

    def __post_init__(self) -> None:
        """Raise ValueError for an unknown choice or a combination without a meaning."""
        choices = {
            "gain": (self.gain, (*GAINS, "constant")),
            "discount": (self.discount, ("log", "constant")),
            "log_base": (self.log_base, tuple(LOGARITHMS)),
            "scale": (self.scale, ("rax", "paper")),
        }
        for name, (value, allowed) in choices.items():
            if value not in allowed:
                raise ValueError(f"{name}={value!r}: choose one of {', '.join(allowed)}")
        if self.topn is not None and self.topn < 1:
            raise ValueError(f"topn={self.topn}: must be at least 1, or None for no cut")
        if self.normalize and "constant" in (self.gain, self.discount):
            raise ValueError("normalize: the ideal DCG needs a gain and a discount, not 'constant'")


RAX_WEIGHTING = LambdaWeighting()


def ranks(keys: Tensor, mask: Tensor) -> Tensor:
    """Rank of every item by its key, highest first.

    keys: [B, K]; mask: [B, K] bool, True where there is an item.
    Returns [B, K] int64, 1 for the highest key. Equal keys rank by position, padding comes last.
    """
    order = torch.argsort(keys, dim=-1, descending=True, stable=True)
    padded = (~mask).gather(-1, order).long()
    order = order.gather(-1, torch.argsort(padded, dim=-1, stable=True))
    places = torch.arange(1, keys.shape[-1] + 1, device=keys.device).expand_as(order)
    return torch.empty_like(order).scatter_(-1, order, places)


def both_valid(mask: Tensor) -> Tensor:
    """Pairs whose two items exist. mask: [B, K] bool. Returns [B, K, K] bool."""
    return mask.unsqueeze(-1) & mask.unsqueeze(-2)


@torch.no_grad()
def lambda_weights(
    scores: Tensor,
    labels: Tensor,
    mask: Tensor,
    weighting: LambdaWeighting = RAX_WEIGHTING,
    list_sizes: Tensor | None = None,
) -> Tensor:
    """Delta_ij = |G_i - G_j| * |1/D(tau_i) - 1/D(tau_j)|, tau = ranks by the current scores.

    scores, labels: [B, K]; mask: [B, K] bool; list_sizes: [B], the factor of scale `rax`, by
    default each list's number of items (RAX takes the padded K, so that padding changes its loss).
    Returns [B, K, K], symmetric, 0 where an item is padding, never with a gradient.
    Source: LiPO (arXiv 2402.01878), LiPO-lambda; constants from google/rax `dcg_lambdaweight`.
    """
    labels = labels.masked_fill(~mask, 0.0)
    gaps = _gain_gaps(labels, mask, weighting) * _discount_gaps(scores, mask, weighting)
    gaps = gaps.masked_fill(~both_valid(mask), 0.0)
    if weighting.scale == "paper":
        return gaps
    if list_sizes is None:
        list_sizes = mask.sum(-1)
    return gaps * list_sizes.to(gaps)[:, None, None]


def _gain_gaps(labels: Tensor, mask: Tensor, weighting: LambdaWeighting) -> Tensor:
    """|G_i - G_j|: [B, K, K]."""
    if weighting.gain == "constant":
        return _gaps(labels).fill_(1.0)
    gains = GAINS[weighting.gain](labels)
    if weighting.normalize:
        best = gains * _discounts(ranks(gains, mask).to(gains), weighting)
        ideal = best.masked_fill(~mask, 0.0).sum(-1, keepdim=True)
        gains = gains / ideal.masked_fill(ideal == 0.0, 1.0)
    return _gaps(gains)


def _discount_gaps(scores: Tensor, mask: Tensor, weighting: LambdaWeighting) -> Tensor:
    """|1/D(tau_i) - 1/D(tau_j)|: [B, K, K]."""
    order = ranks(scores, mask)
    if weighting.discount == "log":
        return _gaps(_discounts(order.to(scores), weighting))
    best = torch.minimum(order.unsqueeze(-1), order.unsqueeze(-2))
    topn = order.shape[-1] if weighting.topn is None else weighting.topn
    return (best <= topn).to(scores)


def _discounts(order: Tensor, weighting: LambdaWeighting) -> Tensor:
    """1/D(r) = 1/log(1 + r), 0 beyond topn. order: [B, K] ranks, as floats. Returns [B, K]."""
    discounts = 1.0 / LOGARITHMS[weighting.log_base](1.0 + order)
    if weighting.topn is not None:
        discounts = discounts.masked_fill(order > weighting.topn, 0.0)
    return discounts


def _gaps(values: Tensor) -> Tensor:
    """|v_i - v_j|: [B, K] to [B, K, K]."""
    return (values.unsqueeze(-1) - values.unsqueeze(-2)).abs()
