"""RankList (arXiv 2508.09826): local and skip-wise comparisons of a list sorted by its labels.

Only the paper's abstract and captions were at hand: these formulas are a reconstruction.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

MODES = ("lse", "exact")


def skip_losses(
    scores: Tensor,
    labels: Tensor,
    mask: Tensor,
    *,
    max_skip: int | None = None,
    mode: str = "lse",
    min_margin: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Loss and number of comparisons of every skip k = 1 .. K of each list.

    In the list sorted by falling label (stable), item i is compared with item i + k where their
    labels differ by more than min_margin; z = -(s_(i) - s_(i+k)).

        exact   E_k = sum_i log(1 + exp(z_i))     RankNet along the chain
        lse     A_k = log(1 + sum_i exp(z_i))     the same without the cross terms; A_k <= E_k

    scores, labels: [B, N]; mask: [B, N] bool, padding may hold anything. max_skip: K; None = N - 1.
    Returns (losses [B, K], counts [B, K]); a skip without a comparison has loss 0 and no gradient.
    Raises ValueError for an unknown mode.
    """
    if mode not in MODES:
        raise ValueError(f"mode={mode!r}: choose one of {', '.join(MODES)}")
    order = falling_order(labels, mask)
    scores = scores.masked_fill(~mask, 0.0).gather(-1, order)
    labels, mask = labels.masked_fill(~mask, 0.0).gather(-1, order), mask.gather(-1, order)
    skips = mask.shape[-1] - 1 if max_skip is None else min(max_skip, mask.shape[-1] - 1)
    losses, counts = [], []
    for skip in range(1, skips + 1):
        margins = labels[:, :-skip] - labels[:, skip:]
        valid = (margins > min_margin) & mask[:, skip:]  # padding is last, so i is no padding
        violations = scores[:, skip:] - scores[:, :-skip]
        if mode == "exact":
            losses.append(softplus(violations).masked_fill(~valid, 0.0).sum(-1))
        else:
            terms = violations.masked_fill(~valid, float("-inf"))
            one = torch.zeros_like(terms[:, :1])
            losses.append(torch.cat([one, terms], dim=-1).logsumexp(-1))
        counts.append(valid.sum(-1))
    if not losses:
        empty = scores.new_zeros(len(scores), 0)
        return empty, empty.long()
    return torch.stack(losses, dim=-1), torch.stack(counts, dim=-1)


def falling_order(labels: Tensor, mask: Tensor) -> Tensor:
    """Indices [B, N] that sort labels [B, N] from best to worst, ties as given, padding last."""
    return labels.masked_fill(~mask, float("-inf")).argsort(dim=-1, descending=True, stable=True)


def kendall_tau(scores: Tensor, labels: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """(concordant - discordant) / (pairs of different labels), and the number of these pairs.

    Tied scores count 0. Shapes as in `skip_losses`. Returns (tau [B], pairs [B]); tau is 0 where
    there is no pair.
    """
    both = mask.unsqueeze(-1) & mask.unsqueeze(-2)
    better = (labels.unsqueeze(-1) > labels.unsqueeze(-2)) & both
    agreement = torch.sign(scores.unsqueeze(-1) - scores.unsqueeze(-2))
    pairs = better.sum((-2, -1))
    total = agreement.masked_fill(~better, 0.0).sum((-2, -1))
    return total / pairs.clamp(min=1), pairs
