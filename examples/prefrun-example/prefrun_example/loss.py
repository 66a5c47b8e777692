"""The formula. torch only, so that a test can call it with numbers of its own."""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


def dpop_losses(log_ratios: Tensor, beta: float, penalty: float) -> Tensor:
    """Return [B, K, K]: the loss of every pair, answer i chosen and answer j rejected.

      -log sigmoid(beta * (h_i - h_j - penalty * max(0, -h_i)))

    LOG_RATIOS [B, K]: h = log pi(y|x) - log pi_ref(y|x), sums over tokens; PENALTY is the paper's
    lambda. Source: Pal et al. 2024, arXiv 2402.13228, the loss named DPOP.
    """
    chosen, rejected = log_ratios.unsqueeze(-1), log_ratios.unsqueeze(-2)
    return -logsigmoid(beta * (chosen - rejected - penalty * torch.relu(-chosen)))


def better_pairs(scores: Tensor, mask: Tensor) -> Tensor:
    """Return [B, K, K]: where both answers exist (MASK [B, K]) and i has the higher score."""
    both = mask.unsqueeze(-1) & mask.unsqueeze(-2)
    return both & (scores.unsqueeze(-1) > scores.unsqueeze(-2))
