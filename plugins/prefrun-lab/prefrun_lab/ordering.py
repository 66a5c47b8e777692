"""How well scores order the answers of a record. Pure functions of tensors."""

from __future__ import annotations

import torch
from torch import Tensor


def pair_accuracy(scores: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """Share of the pairs of different label whose scores are in the same order: [N, K] to [N].

    Equal scores count one half. NaN where a record has no such pair. mask: [N, K] bool.
    """
    agreement, labelled, _ = _pairs(scores, labels, mask)
    return (agreement / labelled + 1) / 2  # 0 / 0 is NaN


def kendall_tau(scores: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """Kendall's tau-b (Kendall 1945) of scores and labels: [N, K] to [N].

        tau_b = (concordant - discordant) / sqrt(pairs untied in labels * pairs untied in scores)

    0 where all scores are equal, NaN where all labels are. mask: [N, K] bool.
    """
    agreement, labelled, scored = _pairs(scores, labels, mask)
    tau = agreement / (labelled * scored).sqrt()
    return torch.where((scored == 0) & (labelled > 0), 0.0, tau)


def _pairs(scores: Tensor, labels: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Per record: concordant less discordant pairs, pairs untied in labels, and in scores."""
    both = (mask.unsqueeze(-1) & mask.unsqueeze(-2)).triu(1)
    by_score, by_label = (
        (values.unsqueeze(-1) - values.unsqueeze(-2)).sign().double() * both
        for values in (scores, labels)
    )
    sums = (by_score * by_label, by_label.abs(), by_score.abs())
    agreement, labelled, scored = (each.sum((-1, -2)) for each in sums)
    return agreement, labelled, scored
