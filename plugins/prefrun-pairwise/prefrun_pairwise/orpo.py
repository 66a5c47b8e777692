"""ORPO's odds-ratio term, without a reference: one value per pair, no reduction.

chosen_logps, rejected_logps: [P] token-averaged log-probs l of the policy. ORPO adds the token NLL
over the prompt and the chosen answer (`tokens.token_nll` with a mask that covers both).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


def log1mexp(logps: Tensor) -> Tensor:
    """log(1 - exp(l)) for l <= 0, exact near 0 and far from it; finite at l = 0."""
    logps = logps.clamp(max=-torch.finfo(logps.dtype).eps)
    near_zero = torch.log(-torch.expm1(logps))
    return torch.where(logps < -math.log(2.0), torch.log1p(-torch.exp(logps)), near_zero)


def log_odds_ratios(chosen_logps: Tensor, rejected_logps: Tensor) -> Tensor:
    """log odds(y_c) - log odds(y_r), odds = p / (1 - p) with p = exp(l): [P]."""
    return (chosen_logps - rejected_logps) - (log1mexp(chosen_logps) - log1mexp(rejected_logps))


def orpo_values(chosen_logps: Tensor, rejected_logps: Tensor, *, beta: float) -> Tensor:
    """-beta log sigmoid(log odds ratio): [P]. Source: ORPO (arXiv 2403.07691), Eqs. 4 and 7."""
    return -beta * logsigmoid(log_odds_ratios(chosen_logps, rejected_logps))
