"""SimulDPO, as reconstructed: DPO on the joint policy of translation and schedule, with latency.

The paper's own equation could not be read. This one follows from the KL-regularised objective
max E[r(x,y) - alpha Lat(y,g)] - beta KL(pi || pi_ref) over translations y and schedules g.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import logsigmoid

LARGEST_LOGIT = 30.0
"""Confidences of exactly 0 or 1 have no logarithm."""


def simuldpo_rewards(
    policy_tokens: Tensor,
    reference_tokens: Tensor,
    policy_actions: Tensor,
    reference_actions: Tensor,
    mask: Tensor,
    *,
    beta: float,
    eta: float,
) -> Tensor:
    """Return [B, 2] beta * sum_t (log-ratio of token t + eta * log-ratio of its actions).

    All arguments [B, 2, T], index 0 the chosen, 1 the rejected. Sums, not means over tokens.
    """
    ratios = policy_tokens - reference_tokens
    if eta:
        ratios = ratios + eta * (policy_actions - reference_actions)
    return beta * ratios.masked_fill(~mask.bool(), 0.0).sum(-1)


def simuldpo_losses(rewards: Tensor, latency: Tensor, *, alpha: float) -> Tensor:
    """Return [B] -log sigmoid(r_w - r_l + alpha (lat_w - lat_l)).

    rewards: [B, 2]; latency: [B, 2], a constant of each schedule in about [0, 1]. A chosen
    translation that is later than the rejected one needs less margin. alpha = eta = 0 is DPO.
    """
    margins = rewards[:, 0] - rewards[:, 1]
    if alpha:
        margins = margins + alpha * (latency[:, 0] - latency[:, 1]).detach()
    return -logsigmoid(margins)


def action_logps(write: Tensor, is_choice: Tensor, waits: Tensor, owners: Tensor) -> Tensor:
    """Return [N] A_t: log c_t(g(t)) where writing was a choice, plus log(1 - c_t(j)) of each read.

    write: [N] confidence logits of the states in which the units are written; is_choice: [N] False
    where the whole source was read. waits: [M] confidence logits of the states in which the policy
    read on; owners: [M] which unit each read came before.
    """
    bounded = write.clamp(-LARGEST_LOGIT, LARGEST_LOGIT)
    written = logsigmoid(bounded).masked_fill(~is_choice, 0.0)
    return written.index_add(0, owners, logsigmoid(-waits.clamp(-LARGEST_LOGIT, LARGEST_LOGIT)))
