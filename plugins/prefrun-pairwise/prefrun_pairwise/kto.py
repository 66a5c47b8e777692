"""KTO and APO-zero on single answers marked desirable or not: one value per answer, no reduction.

h = log pi(y|x) - log pi_ref(y|x), S = sigmoid, w = the weight of the answer's side.
"""

from __future__ import annotations

import torch
from torch import Tensor


@torch.no_grad()
def kl_estimate(policy_kl_logps: Tensor, ref_kl_logps: Tensor) -> Tensor:
    """z = max(0, mean(log pi - log pi_ref)) over prompts paired with another prompt's answer.

    policy_kl_logps, ref_kl_logps: [M] log-probs of the mismatched answers. Returns a scalar without
    gradient; clamped after the mean. Source: KTO (arXiv 2402.01306).
    """
    return (policy_kl_logps - ref_kl_logps).mean().clamp(min=0.0)


def kto(
    ratios: Tensor,
    desirable: Tensor,
    kl: Tensor,
    *,
    beta: float,
    desirable_weight: float = 1.0,
    undesirable_weight: float = 1.0,
) -> Tensor:
    """w_D (1 - S(beta (h - z))) if desirable, else w_U (1 - S(beta (z - h))).

    ratios: [N] h; desirable: [N] bool; kl: scalar z of `kl_estimate`. Returns [N].
    Source: KTO (arXiv 2402.01306), Eq. 7.
    """
    margins = beta * (ratios - kl)
    good, bad = torch.sigmoid(-margins), torch.sigmoid(margins)
    return torch.where(desirable, desirable_weight * good, undesirable_weight * bad)


def apo_zero_unpaired(
    ratios: Tensor,
    desirable: Tensor,
    *,
    beta: float,
    desirable_weight: float = 1.0,
    undesirable_weight: float = 1.0,
) -> Tensor:
    """w_D (1 - S(beta h)) if desirable, else w_U S(beta h): KTO with z = 0.

    Shapes as for `kto`. Source: APO (arXiv 2408.06266), Eq. 7, unpaired.
    """
    return kto(
        ratios,
        desirable,
        torch.zeros_like(ratios[:1].sum()),
        beta=beta,
        desirable_weight=desirable_weight,
        undesirable_weight=undesirable_weight,
    )
