"""APO's steps as functions of tensors.

Symbols: pi_t, the policy at the start of round t; pihat_{t+1}, what the round's training makes of
it, with pi_t as reference. pi_0 = pihat_0 = the start model, so the first round has a momentum
step, too. Source: APO (arXiv 2410.06293), Algorithm 1.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


def extrapolated(new: Tensor, old: Tensor, alpha: float) -> Tensor:
    """new + alpha (new - old), any shape: weights, or sequence log-probs without their log Z(x).

    new: of pihat_{t+1}; old: of pihat_t. In the loss of a pair, log Z(x) cancels.
    """
    return new + alpha * (new - old)


def extrapolated_policy(new: Tensor, old: Tensor, alpha: float) -> Tensor:
    """log pi_{t+1} = (1 + alpha) log pihat_{t+1} - alpha log pihat_t - log Z: [..., A].

    new, old: log-probs over all A answers of a prompt.
    """
    return extrapolated(new, old, alpha).log_softmax(-1)


def proximal_step(policy: Tensor, rewards: Tensor, beta: float) -> Tensor:
    """log pihat_{t+1} = log pi_t + r / beta - log Z, the exact minimiser: [..., A].

    policy: log pi_t; rewards: r, both [..., A].
    """
    return (policy + rewards / beta).log_softmax(-1)


def dpo_values(chosen_ratios: Tensor, rejected_ratios: Tensor, beta: float) -> Tensor:
    """-log sigmoid(beta (h_w - h_l)), h = log pi - log pi_t of an answer: [P].

    Source: DPO (arXiv 2305.18290), Eq. 7, with the round's first policy as reference.
    """
    return -logsigmoid(beta * (chosen_ratios - rejected_ratios))


def sppo_values(ratios: Tensor, wins: Tensor, eta: float) -> Tensor:
    """(h - eta (P - 1/2))^2, any shape.

    ratios: h = log pi - log pi_t of an answer; wins: P, its probability to beat an answer of pi_t.
    Source: SPPO (arXiv 2405.00675), Eq. 4.4.
    """
    return (ratios - eta * (wins - 0.5)).square()


def extrapolated_product(
    new: tuple[Tensor, Tensor], old: tuple[Tensor, Tensor], alpha: float
) -> tuple[Tensor, Tensor, float]:
    """The momentum step of a low-rank product B A, kept at its rank.

    new, old: (A [r, in], B [out, r]). Returns A and B of the best rank-r approximation of
    (1 + alpha) B_new A_new - alpha B_old A_old, which has rank up to 2 r, and the part of its
    Frobenius norm that is lost, in [0, 1].
    """
    rank = len(new[0])
    tall = torch.cat([(1.0 + alpha) * new[1], -alpha * old[1]], 1).double()
    wide = torch.cat([new[0], old[0]], 0).double()
    left, inner = torch.linalg.qr(tall)
    right, outer = torch.linalg.qr(wide.T)
    u, singular, vh = torch.linalg.svd(inner @ outer.T)
    norm = singular.norm()
    lost = float(singular[rank:].norm() / norm) if norm > 0 else 0.0
    root = singular[:rank].sqrt()
    down = (root[:, None] * vh[:rank]) @ right.T
    up = (left @ u[:, :rank]) * root
    return down.to(new[0]), up.to(new[1]), lost
