"""Self-supervised losses on the embeddings of views: GroCo and, to compare with, NT-Xent."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from prefrun_listwise.group_order import group_order_loss, order_groups


def similarity_groups(
    views: Sequence[Tensor], anchor: int, topk_neg: int, stop_grad: bool = True
) -> tuple[Tensor, Tensor]:
    """Cosines of each item's ANCHOR view with its other views, and with its hardest negatives.

    views: V tensors [B, D], row b of each is item b. Negatives are the same view of the other
    items. stop_grad: only the anchor's side gets a gradient. Returns (positives [B, V - 1],
    negatives [B, topk_neg]). Raises ValueError unless 1 <= topk_neg <= B - 1.
    """
    count = len(views[anchor])
    if not 1 <= topk_neg <= count - 1:
        raise ValueError(f"topk_neg={topk_neg}: a batch of {count} has 1 to {count - 1} negatives")
    units = [normalize(view, dim=-1) for view in views]
    others = [unit.detach() for unit in units] if stop_grad else units
    own = units[anchor]
    positives = torch.stack(
        [(own * other).sum(-1) for place, other in enumerate(others) if place != anchor], dim=-1
    )
    negatives = own @ others[anchor].T
    self_mask = torch.eye(count, dtype=torch.bool, device=own.device)
    negatives = negatives.masked_fill(self_mask, float("-inf"))
    return positives, negatives.topk(topk_neg, dim=-1).values


def groco_loss(
    views: Sequence[Tensor], topk_neg: int, steepness: float = 1.0, stop_grad: bool = True
) -> Tensor:
    """Every other view of an item is nearer to it than its hardest negatives: scalar.

    The mean over anchors of `group_order_loss`. Arguments as in `similarity_groups`.
    Source: arXiv 2301.02009; ninatu/learning_by_sorting losses/groco.py.
    """
    anchors = [
        similarity_groups(views, anchor, topk_neg, stop_grad) for anchor in range(len(views))
    ]
    return torch.stack([anchor_loss(*groups, steepness) for groups in anchors]).mean()


def anchor_loss(positives: Tensor, negatives: Tensor, steepness: float) -> Tensor:
    """Mean over items of the group ordering loss of similarities [B, p] and [B, k]: scalar."""
    scores = torch.cat([negatives, positives], dim=-1)
    good = torch.arange(scores.shape[-1], device=scores.device) >= negatives.shape[-1]
    everywhere = torch.ones_like(scores, dtype=torch.bool)
    groups = order_groups(scores, good.expand_as(everywhere), everywhere)
    return group_order_loss(groups, steepness).mean()


@torch.no_grad()
def separation(positives: Tensor, negatives: Tensor) -> dict[str, Tensor]:
    """Means over items of the farthest and nearest positive and negative, [B, p] and [B, k].

    'gap' is the farthest positive's similarity less the nearest negative's.
    """
    farthest, nearest = positives.amin(-1).mean(), negatives.amax(-1).mean()
    return {
        "positive_max": positives.amax(-1).mean(),
        "positive_min": farthest,
        "negative_max": nearest,
        "negative_min": negatives.amin(-1).mean(),
        "gap": farthest - nearest,
    }


def nt_xent_loss(views: Sequence[Tensor], temperature: float) -> Tensor:
    """-log softmax of an item's other views among all other embeddings of the batch: scalar.

    views: V tensors [B, D]; the mean over V B anchors and their V - 1 positives.
    Source: SimCLR, arXiv 2002.05709, Eq. 1.
    """
    units = normalize(torch.cat(list(views)), dim=-1)
    total, items = len(units), len(views[0])
    self_mask = torch.eye(total, dtype=torch.bool, device=units.device)
    logits = (units @ units.T / temperature).masked_fill(self_mask, float("-inf"))
    item = torch.arange(total, device=units.device) % items
    positive = (item.unsqueeze(-1) == item) & ~self_mask
    log_probs = logits.log_softmax(-1).masked_fill(~positive, 0.0)
    return -log_probs.sum() / positive.sum()
