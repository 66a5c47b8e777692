"""f-divergences between policy and reference: what replaces the log-ratio in DPO (f-DPO)."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

EXPONENT_LIMIT = 80.0
"""exp is cut here, so that it stays finite in float32; beyond it the gradient is 0."""


def reverse_kl(ratios: Tensor, alpha: float) -> Tensor:
    """h: DPO itself. alpha is unused."""
    del alpha
    return ratios


def forward_kl(ratios: Tensor, alpha: float) -> Tensor:
    """1 - exp(-h). alpha is unused."""
    del alpha
    return -bounded_expm1(-ratios)


def js_divergence(ratios: Tensor, alpha: float) -> Tensor:
    """log 2 + log sigmoid(h). alpha is unused."""
    del alpha
    return math.log(2.0) + logsigmoid(ratios)


def alpha_divergence(ratios: Tensor, alpha: float) -> Tensor:
    """(exp((alpha - 1) h) - 1) / (alpha - 1); h at alpha = 1, forward_kl at alpha = 0."""
    order = alpha - 1.0
    if abs(order) < 1e-6:
        return ratios
    return bounded_expm1(order * ratios) / order


DIVERGENCES: dict[str, Callable[[Tensor, float], Tensor]] = {
    "reverse_kl": reverse_kl,
    "forward_kl": forward_kl,
    "js_divergence": js_divergence,
    "alpha_divergence": alpha_divergence,
}
"""f'(pi / pi_ref), up to a constant, of the log-ratios h [P]. Source: f-DPO (arXiv 2309.16240)."""


def bounded_expm1(exponents: Tensor) -> Tensor:
    """exp(x) - 1 with x cut at EXPONENT_LIMIT."""
    return torch.expm1(exponents.clamp(max=EXPONENT_LIMIT))
