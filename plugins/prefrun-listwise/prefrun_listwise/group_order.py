"""GroCo's loss (arXiv 2301.02009): every good item ranks above every bad one, as groups."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy

from prefrun_listwise.sorting_network import comparator_weights, rank_masses


@dataclass(frozen=True, slots=True)
class Groups:
    """Rows of scores as the sorting network gets them: bad ascending, good ascending, padding."""

    scores: Tensor
    """[B, N]; 0 in the padding."""
    bad: Tensor
    """[B] int64, bad items kept."""
    sizes: Tensor
    """[B] int64, items kept."""


def order_groups(
    scores: Tensor, good: Tensor, mask: Tensor, hardest_bad: int | None = None
) -> Groups:
    """Sort each group by score and put the bad group first; the gradient passes.

    So the strongest bad items meet the weakest good ones first. scores: [B, N]; good, mask: [B, N]
    bool. hardest_bad: how many bad items stay, those of highest score; None = all.
    """
    if scores.dtype in (torch.float16, torch.bfloat16):
        scores = scores.float()  # differences of atan lose too much in half precision
    scores = scores.masked_fill(~mask, 0.0)
    by_score = scores.argsort(dim=-1, stable=True)
    scores, good, mask = (x.gather(-1, by_score) for x in (scores, good & mask, mask))
    bad = mask & ~good
    if hardest_bad is not None:
        harder = bad.flip(-1).cumsum(-1).flip(-1)  # bad items from here on
        bad &= harder <= hardest_bad
    group = torch.where(bad, 0, torch.where(good, 1, 2))
    by_group = group.argsort(dim=-1, stable=True)
    bad_count, size = bad.sum(-1), (group < 2).sum(-1)
    kept = torch.arange(scores.shape[-1], device=scores.device) < size.unsqueeze(-1)
    return Groups(scores.gather(-1, by_group).masked_fill(~kept, 0.0), bad_count, size)


def group_masses(groups: Groups, steepness: float) -> Tensor:
    """Probability of ending among the bad and among the good ranks, per item: [B, N, 2]."""
    places = torch.arange(groups.scores.shape[-1], device=groups.scores.device)
    bad_ranks = places < groups.bad.unsqueeze(-1)
    good_ranks = (places < groups.sizes.unsqueeze(-1)) & ~bad_ranks
    _, layers = comparator_weights(groups.scores, groups.sizes, steepness)
    return rank_masses(layers, torch.stack([bad_ranks, good_ranks], dim=-1).to(groups.scores))


def group_order_loss(groups: Groups, steepness: float) -> Tensor:
    """-mean over a row's items of log(probability to end among the ranks of its own group): [B].

    Half the sum of the two binary cross-entropies of the paper's code, which are equal; the
    logarithm is cut at -100. 0 without gradient where one of the groups is empty.
    Source: arXiv 2301.02009; ninatu/learning_by_sorting losses/groco.py.
    """
    masses = group_masses(groups, steepness)
    places = torch.arange(masses.shape[1], device=masses.device)
    is_bad = places < groups.bad.unsqueeze(-1)
    own = torch.where(is_bad, masses[..., 0], masses[..., 1])
    own = own.masked_fill(places >= groups.sizes.unsqueeze(-1), 1.0).clamp(0.0, 1.0)
    losses = binary_cross_entropy(own, torch.ones_like(own), reduction="none")
    return losses.sum(-1) / groups.sizes.clamp(min=1)
