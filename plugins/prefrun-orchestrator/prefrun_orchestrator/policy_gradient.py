"""Group-relative policy gradient for stage2=online: pure functions of tensors."""

from __future__ import annotations

from torch import Tensor

SMALLEST_STD = 1e-4


def advantages(rewards: Tensor, kind: str) -> Tensor:
    """Compare rewards [B, G] with the other answers to the same prompt: [B, G], no gradient.

    grpo: (R - mean) / (std + 1e-4) of the group (Shao et al. 2024, arXiv 2402.03300). rloo: R less
    the mean of the others (Ahmadian et al. 2024, arXiv 2402.14740). Raises ValueError otherwise.
    """
    rewards = rewards.detach()
    centred = rewards - rewards.mean(-1, keepdim=True)
    if kind == "grpo":
        return centred / (rewards.std(-1, keepdim=True, correction=0) + SMALLEST_STD)
    if kind == "rloo":
        group = rewards.shape[-1]
        return centred * group / (group - 1)
    raise ValueError(f"kind={kind!r}: choose one of grpo, rloo")


def online_loss(
    logps: Tensor, reference: Tensor, mask: Tensor, advantage: Tensor, kl_coef: float
) -> tuple[Tensor, Tensor]:
    """Return per answer [N] -A log pi(y|x) + beta KL, and that KL without gradient.

    logps, reference: [N, T] log-probs of sampled tokens; mask: [N, T] bool; advantage: [N]. The
    answers are the policy's own, so no ratio is needed. KL is Schulman's estimate per token,
    exp(d) - d - 1 with d = log pi_ref - log pi, summed over the answer.
    """
    gap = (reference - logps).masked_fill(~mask, 0.0)
    divergence = (gap.exp() - gap - 1).sum(-1)
    likelihood = logps.masked_fill(~mask, 0.0).sum(-1)
    return kl_coef * divergence - advantage * likelihood, divergence.detach()
