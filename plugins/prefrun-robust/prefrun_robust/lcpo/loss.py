"""LCPO's EM steps as functions of tensors.

Symbols: L_obs = L(w > l), the base loss of a pair as it was labelled; L_flip = L(l > w), the same
with the answers exchanged; p = sigmoid(L_flip - L_obs), the policy's probability that the label is
what a clean annotator would say; eta_k, the probability that annotator k's label is right.
Source: Cao et al. (arXiv 2509.24159), sections 3 and 4.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


def gibbs_logits(observed: Tensor, flipped: Tensor) -> Tensor:
    """logit(p) = L_flip - L_obs, the Gibbs construction: [P]. For DPO, Bradley-Terry's margin.

    observed, flipped: [P] base losses of the pairs as labelled and exchanged.
    """
    return flipped - observed


def reliability_logits(eta: Tensor) -> Tensor:
    """logit(eta), any shape; eta is kept away from 0 and 1 by the dtype's precision."""
    return eta.logit(eps=torch.finfo(eta.dtype).eps)


@torch.no_grad()
def label_posterior(logits: Tensor, eta: Tensor) -> Tensor:
    """E-step: w = p eta / (p eta + (1 - p)(1 - eta)) = sigmoid(logit(p) + logit(eta)).

    logits: [P] logit(p); eta: [P] reliability of each pair's annotator. Returns [P], no gradient.
    """
    return torch.sigmoid(logits + reliability_logits(eta))


def expected_nll(logits: Tensor, posterior: Tensor) -> Tensor:
    """M-step of the policy: -[w log p + (1 - w) log(1 - p)].

    logits: [P] logit(p), carries the gradient; posterior: [P] w. Returns [P]. For DPO it equals
    `loss_mix`.
    """
    return -(posterior * logsigmoid(logits) + (1.0 - posterior) * logsigmoid(-logits))


def loss_mix(observed: Tensor, flipped: Tensor, posterior: Tensor) -> Tensor:
    """The variant w L_obs + (1 - w) L_flip: [P]. Another objective than `expected_nll` but for DPO.

    observed, flipped: [P], carry the gradient; posterior: [P] w.
    """
    return posterior * observed + (1.0 - posterior) * flipped


def marginal_nll(logits: Tensor, eta: Tensor) -> Tensor:
    """-log(p eta + (1 - p)(1 - eta)), what EM decreases: [P].

    logits: [P] logit(p); eta: [P].
    """
    gap = reliability_logits(eta)
    right = logsigmoid(logits) + logsigmoid(gap)
    wrong = logsigmoid(-logits) + logsigmoid(-gap)
    return -torch.logaddexp(right, wrong)


def updated_reliability(eta: Tensor, posterior: Tensor, count: Tensor, rate: float) -> Tensor:
    """M-step of the reliabilities: eta_k <- (1 - a) eta_k + a mean of w over k's pairs.

    eta: [K]; posterior: [K] sums of w (weighted) over each annotator's pairs; count: [K] sums of
    the weights. An annotator without a pair keeps its eta. rate: a in (0, 1]. Returns [K].
    """
    mean = posterior / count.clamp(min=torch.finfo(count.dtype).tiny)
    return torch.where(count > 0, (1.0 - rate) * eta + rate * mean, eta)
