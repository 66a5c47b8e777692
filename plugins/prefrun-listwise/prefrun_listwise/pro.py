"""PRO, Preference Ranking Optimization (arXiv 2306.17492): losses of a ranked list of answers."""

from __future__ import annotations

import torch
from torch import Tensor


def rank_losses(
    scores: Tensor,
    rewards: Tensor,
    mask: Tensor,
    *,
    use_temperature: bool = True,
    eps: float = 0.0,
) -> Tensor:
    """Each answer against all worse ones.

    L_k = log(exp(p_k g_kk) + sum_{i>k} exp(p_i g_ki)) - p_k g_kk

    g_ki = r_k - r_i is one over the temperature, g_kk = max_{i>k} g_ki; without temperatures all
    are 1 (Plackett-Luce). scores: [B, K] p, mean log-probs; rewards: [B, K] r, constants, best
    first: they are not sorted here, and an answer that is above its place gets negative gaps;
    mask: [B, K] bool, padding last, which may hold anything. eps: 0 = log-sum-exp; 1e-10 inside the
    logarithm is the authors' code, whose gradient vanishes where all p g are below -23.
    Returns [B, K - 1]; 0 where answer k has no worse one.
    Source: arXiv 2306.17492, section 3.2; DAMO-ConvAI PRO/train/utils/process_manager.py.
    """
    scores, rewards = scores.masked_fill(~mask, 0.0), rewards.detach().masked_fill(~mask, 0.0)
    places = mask.shape[-1]
    below = torch.ones(places, places, dtype=torch.bool, device=mask.device).triu(diagonal=1)
    rivals = below & mask.unsqueeze(-2) & mask.unsqueeze(-1)
    gaps = rewards.unsqueeze(-1) - rewards.unsqueeze(-2)
    if not use_temperature:
        gaps = torch.ones_like(gaps)
    has_rival = rivals.any(-1)
    own_gaps = gaps.masked_fill(~rivals, float("-inf")).amax(-1).masked_fill(~has_rival, 0.0)
    own = scores * own_gaps
    others = (scores.unsqueeze(-2) * gaps).masked_fill(~rivals, float("-inf"))
    if eps:
        total = (own.exp() + others.exp().sum(-1) + eps).log()
    else:
        total = torch.cat([own.unsqueeze(-1), others], dim=-1).logsumexp(-1)
    return (total - own).masked_fill(~has_rival, 0.0)[:, :-1]


def sft_losses(policy_logps: Tensor, target: Tensor, sizes: Tensor, sft_weight: float) -> Tensor:
    """Supervised term of a list: -sft_weight (n - 1)^2 log pi(y_target|x), summed over the tokens.

    policy_logps: [B, K] sums; target: [B] int64, the answer that is imitated; sizes: [B] answers n.
    Returns [B]. Source: as above; the paper's beta = 0.05 (l - 1)^2.
    """
    chosen = policy_logps.gather(-1, target.unsqueeze(-1)).squeeze(-1)
    return -sft_weight * (sizes - 1).to(chosen).square() * chosen
