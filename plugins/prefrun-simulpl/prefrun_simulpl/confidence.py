"""The supervised loss that teaches translation and reading together (SM2, Yu et al. 2024).

SimulPL's abstract speaks of multi-task supervised fine-tuning; that its read/write task is this
objective, of the same first author, is an assumption.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

LARGEST_LOGIT = 30.0


@dataclass(frozen=True, slots=True)
class ConfidenceLoss:
    """Sums over target tokens, with gradient."""

    full: Tensor
    """NLL of the target where the whole source is seen."""
    stream: Tensor
    """NLL of the target under the mixture of prefix and full prediction."""
    confidence: Tensor
    """- log c, the price of asking the full prediction for help."""

    def total(self, weight: float) -> Tensor:
        """full + stream + WEIGHT * confidence."""
        return self.full + self.stream + weight * self.confidence


def confidence_loss(
    prefix_logits: Tensor,
    full_logits: Tensor,
    confidence_logits: Tensor,
    targets: Tensor,
    mask: Tensor,
    label_smoothing: float = 0.1,
    *,
    mask_confidence: bool = True,
) -> ConfidenceLoss:
    """Return the three sums of the SM2 objective.

    prefix_logits, full_logits: [..., V] of the states that see the first g(t) source words, and all
    of them. confidence_logits: [...] of the prefix state, z with c = sigmoid(z). targets, mask:
    [...]. mix = c p_prefix + (1 - c) p_full; gradients reach the full prediction through it, too.
    MASK_CONFIDENCE=False adds -log c of padding as the published code does.
    """
    prefix, full = prefix_logits.log_softmax(-1), full_logits.log_softmax(-1)
    bounded = confidence_logits.clamp(-LARGEST_LOGIT, LARGEST_LOGIT)
    sure, unsure = logsigmoid(bounded), logsigmoid(-bounded)
    mixture = torch.logaddexp(sure.unsqueeze(-1) + prefix, unsure.unsqueeze(-1) + full)
    price = -(sure.masked_fill(~mask, 0.0) if mask_confidence else sure)
    return ConfidenceLoss(
        full=smoothed_nll(full, targets, mask, label_smoothing),
        stream=smoothed_nll(mixture, targets, mask, label_smoothing),
        confidence=price.sum(),
    )


def smoothed_nll(logps: Tensor, targets: Tensor, mask: Tensor, epsilon: float) -> Tensor:
    """Sum over MASK of (1 - epsilon - e) nll + e sum_v -log p(v), e = epsilon / (V - 1).

    logps: [..., V]; targets, mask: [...]. fairseq's label smoothing.
    """
    share = epsilon / (logps.shape[-1] - 1)
    nll = -logps.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    values = (1 - epsilon - share) * nll - share * logps.sum(-1)
    return values.masked_fill(~mask, 0.0).sum()
