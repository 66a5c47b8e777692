"""SparsePO's loss as functions of tensors.

Symbols, at token t of an answer: r_t = log pi - log pi_ref of the token; k_t = -KL(pi_ref || pi)
over the whole vocabulary; m_u, m_d >= 0, the masks of reward and KL. Per answer, U = sum m_u r,
D = sum m_d k. Masks of 1 give TDPO. Source: SparsePO (arXiv 2410.05102), section 3, and its code.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid


def token_terms(
    policy_logps: Tensor, reference_logps: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor]:
    """r and k of N tokens: [N] each.

    policy_logps, reference_logps: [N, V] log-probs of the next token; labels: [N] int64, what it
    is. The gradient flows through both into the policy, and none into the reference.
    """
    reference_logps = reference_logps.detach()
    gaps = policy_logps - reference_logps
    rewards = gaps.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    return rewards, (reference_logps.exp() * gaps).sum(-1)


@dataclass(frozen=True, slots=True)
class MaskedAnswers:
    """One side of P pairs: token terms and masks, [P, T] each."""

    rewards: Tensor
    """r, 0 in the padding."""
    kl: Tensor
    """k, 0 in the padding."""
    reward_mask: Tensor
    kl_mask: Tensor
    token_mask: Tensor
    """1 at an answer's tokens, else 0."""

    @property
    def reward(self) -> Tensor:
        """U: [P]."""
        return (self.reward_mask * self.rewards * self.token_mask).sum(-1)

    @property
    def divergence(self) -> Tensor:
        """D: [P], at most 0."""
        return (self.kl_mask * self.kl * self.token_mask).sum(-1)

    def norm(self, reward_weight: float, kl_weight: float) -> Tensor:
        """Weighted L1 norms of the masks over the answer's tokens: [P]."""
        reward = (self.reward_mask.abs() * self.token_mask).sum(-1)
        kl = (self.kl_mask.abs() * self.token_mask).sum(-1)
        return reward_weight * reward + kl_weight * kl


def sparsepo_values(
    chosen: MaskedAnswers,
    rejected: MaskedAnswers,
    *,
    beta: float,
    l1_reward: float = 0.0,
    l1_kl: float = 0.0,
    label_smoothing: float = 0.0,
) -> Tensor:
    """-(1 - eps) log sigmoid(z) - eps log sigmoid(-z) + L1 norms, z = beta (u - d): [P].

    u = U(chosen) - U(rejected), d = D(chosen) - D(rejected); eps: label_smoothing.
    """
    gain = chosen.reward - rejected.reward
    drift = chosen.divergence - rejected.divergence
    margin = beta * (gain - drift)
    values = -(1.0 - label_smoothing) * logsigmoid(margin) - label_smoothing * logsigmoid(-margin)
    return values + chosen.norm(l1_reward, l1_kl) + rejected.norm(l1_reward, l1_kl)


def implied_reward(answers: MaskedAnswers, beta: float) -> Tensor:
    """What the official code logs, beta (U + D), with a plus although the loss has u - d: [P]."""
    return (beta * (answers.reward + answers.divergence)).detach()
