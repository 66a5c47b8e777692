"""From token log-probs to one number per answer.

Every function takes token_logps [N, T] (log-probs of the answer's tokens) and mask [N, T] (bool,
True at those tokens). Padding may hold anything, NaN included.
"""

from __future__ import annotations

import torch
from torch import Tensor


def sum_logps(token_logps: Tensor, mask: Tensor, token_weights: Tensor | None = None) -> Tensor:
    """log pi(y|x), its tokens weighted by token_weights [N, T]. Returns [N]; 0 if empty."""
    token_logps = token_logps.masked_fill(~mask, 0.0)
    return (token_logps if token_weights is None else token_logps * token_weights).sum(-1)


def mean_logps(token_logps: Tensor, mask: Tensor) -> Tensor:
    """Mean log-prob of the answer's tokens. Returns [N]; 0 for an empty answer."""
    return sum_logps(token_logps, mask) / mask.sum(-1).clamp(min=1)


def token_nll(token_logps: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Negative log-likelihood per token: values [N], each answer's mean; weights [N], its tokens.

    sum(values * weights) / sum(weights) is the mean over all tokens of the batch, as TRL's `sft`
    loss and the NLL terms of CPO and ORPO have it.
    """
    values = -mean_logps(token_logps, mask)
    return values, mask.sum(-1).to(values)


def length_desensitized_weights(mask: Tensor, shared_lengths: Tensor, alpha: float) -> Tensor:
    """LD-DPO's token weights: 1 for an answer's first m tokens, alpha for the rest.

    shared_lengths: [N], m = the length of the pair's shorter answer; alpha: in [0, 1], 1 is DPO.
    Returns [N, T]; a padding token has the weight of the token before it, for `sum_logps` to mask.
    Source: LD-DPO (arXiv 2409.06411).
    """
    positions = mask.cumsum(-1)
    shared = positions <= shared_lengths.unsqueeze(-1)
    return torch.where(shared, 1.0, alpha)


@torch.no_grad()
def wpo_weights(token_logps: Tensor, log_collision: Tensor, mask: Tensor) -> Tensor:
    """WPO's weight of an answer: exp(mean_t [ log p_t(y_t) - log sum_v p_t(v)^2 ]).

    log_collision: [N, T], log sum_v p_t(v)^2 over the vocabulary. A pair's weight is the product of
    its answers'. Returns [N] without a gradient; 1 for an empty answer.
    Source: WPO (arXiv 2406.11827), Eq. 2, with aligned weights.
    """
    return mean_logps(token_logps - log_collision, mask).exp()
