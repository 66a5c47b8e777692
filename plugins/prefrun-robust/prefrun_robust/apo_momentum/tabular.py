"""APO where every step is exact: policies as tables of log-probs."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from prefrun_robust.apo_momentum.momentum import extrapolated_policy, proximal_step


def rounds(
    reference: Tensor, rewards: Tensor, *, beta: float, alpha: float, count: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield (log pihat_t, log pi_t) for t = 1 .. COUNT, [..., A] each.

    reference: log pi_0 = log pihat_0; rewards: r, both [..., A] over all answers.
    """
    hat = policy = reference
    for _ in range(count):
        new = proximal_step(policy, rewards, beta)
        policy = extrapolated_policy(new, hat, alpha)
        hat = new
        yield hat, policy


def regret(policy: Tensor, rewards: Tensor) -> Tensor:
    """max r - E_policy r, by prompt: [...]. policy: log-probs; both [..., A]."""
    return rewards.amax(-1) - (policy.exp() * rewards).sum(-1)
