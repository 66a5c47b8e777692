"""What a list loss logs: how well its scores order the answers of a batch."""

from __future__ import annotations

from torch import Tensor


def ordering_metrics(scores: Tensor, better: Tensor) -> dict[str, Tensor]:
    """Mean margin and accuracy over pairs: scores [B, K], better [B, K, K] bool, i above j.

    Both are 0 where there is no pair. A pair of equal scores counts as wrong.
    """
    scores = scores.detach()
    margins = (scores.unsqueeze(-1) - scores.unsqueeze(-2)).masked_fill(~better, 0.0)
    count = better.sum().clamp(min=1)
    return {
        "rewards/margins": margins.sum() / count,
        "rewards/accuracies": (margins > 0).sum() / count,
    }


def better_pairs(labels: Tensor, mask: Tensor) -> Tensor:
    """Pairs in which i has the higher label: [B, K] to [B, K, K] bool."""
    above = labels.unsqueeze(-1) > labels.unsqueeze(-2)
    return above & mask.unsqueeze(-1) & mask.unsqueeze(-2)
