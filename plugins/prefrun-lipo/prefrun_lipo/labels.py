"""Labels psi in [0, 1] from the scores of a list (LiPO, section on label construction)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def bradley_terry(scores: Tensor, mask: Tensor) -> Tensor:
    """psi_k = mean over the list's i, k included, of sigmoid(score_k - score_i).

    scores: [B, K]; mask: [B, K] bool. Returns [B, K], 0 in the padding. With a pairwise ranker's
    logits for the differences this is the paper's aggregation of win probabilities.
    """
    wins = torch.sigmoid(scores.unsqueeze(-1) - scores.unsqueeze(-2))
    return _mean_over_list(wins, mask)


def ranks(scores: Tensor, mask: Tensor) -> Tensor:
    """psi_k = mean over the list's i of 1 where k is above i, 0.5 at a tie and at k = i, else 0.

    Shapes as in `bradley_terry`. Source: LiPO, human ranks without probabilities (K = 3: 5/6, 1/2,
    1/6).
    """
    differences = scores.unsqueeze(-1) - scores.unsqueeze(-2)
    return _mean_over_list((torch.sign(differences) + 1) / 2, mask)


def min_max(scores: Tensor, mask: Tensor) -> Tensor:
    """psi_k = (score_k - lowest) / (highest - lowest); 0.5 where all are equal. Shapes as above."""
    highest = scores.masked_fill(~mask, float("-inf")).amax(-1, keepdim=True)
    lowest = scores.masked_fill(~mask, float("inf")).amin(-1, keepdim=True)
    span = highest - lowest
    flat = ~(span > 0)
    labels = (scores - lowest) / span.masked_fill(flat, 1.0)
    return labels.masked_fill(flat, 0.5).masked_fill(~mask, 0.0)


def given(scores: Tensor, mask: Tensor) -> Tensor:
    """psi_k = score_k. Shapes as above."""
    return scores.masked_fill(~mask, 0.0)


LABELS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "bradley_terry": bradley_terry,
    "ranks": ranks,
    "min_max": min_max,
    "given": given,
}


def _mean_over_list(wins: Tensor, mask: Tensor) -> Tensor:
    """Mean of wins [B, K, K] over the list's items: [B, K]."""
    total = (wins * mask.unsqueeze(-2)).sum(-1)
    return (total / mask.sum(-1, keepdim=True).clamp(min=1)).masked_fill(~mask, 0.0)
