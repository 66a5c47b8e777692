"""The ranking losses of LiPO (arXiv 2402.01878) on the scores s = beta * (log pi - log pi_ref).

Every loss takes scores [B, K], labels [B, K] (psi, higher is better) and mask [B, K] (bool, True
where there is an item) and returns each list's sum [B]. Padding may hold anything, NaN included.
Constants, tie-breaks and averages are those of google/rax 0.4.0, which the paper's Algorithm 1
calls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from prefrun_lipo.lambda_weights import (
    RAX_WEIGHTING,
    LambdaWeighting,
    both_valid,
    lambda_weights,
    ranks,
)

REDUCTIONS = ("mean_pairs", "sum_per_list")
SOFTMAX_LABELS = ("raw", "normalized")


def ordered_pairs(labels: Tensor, mask: Tensor) -> Tensor:
    """Pairs that carry a preference, psi_i > psi_j: [B, K, K] bool. Tied labels make no pair."""
    return labels.unsqueeze(-1).gt(labels.unsqueeze(-2)) & both_valid(mask)


def lambda_loss(
    scores: Tensor,
    labels: Tensor,
    mask: Tensor,
    *,
    weighting: LambdaWeighting = RAX_WEIGHTING,
    list_sizes: Tensor | None = None,
) -> Tensor:
    """LiPO-lambda: sum over psi_i > psi_j of Delta_ij * log(1 + exp(-(s_i - s_j))).

    Delta is a constant of the step: see `lambda_weights`, also for list_sizes [B].
    Source: LiPO, LiPO-lambda; rax `pairwise_logistic_loss` with `dcg_lambdaweight`.
    """
    weights = lambda_weights(scores, labels, mask, weighting, list_sizes)
    return _sum_pairs(-logsigmoid(_differences(scores, mask)) * weights, labels, mask)


def pair_logistic(scores: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """DPO on all pairs, RankNet: sum over psi_i > psi_j of log(1 + exp(-(s_i - s_j))).

    Source: LiPO, DPO_BT; rax `pairwise_logistic_loss`.
    """
    return _sum_pairs(-logsigmoid(_differences(scores, mask)), labels, mask)


def pair_hinge(scores: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """SLiC-norm: sum over psi_i > psi_j of max(0, 1 - (s_i - s_j)).

    Source: LiPO, SLiC_norm; rax `pairwise_hinge_loss`.
    """
    return _sum_pairs(torch.relu(1.0 - _differences(scores, mask)), labels, mask)


def list_mle(scores: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """ListMLE: -sum_k [ s_tau(k) - log sum_{j >= k} exp(s_tau(j)) ], tau = items by falling label.

    Tied labels are ordered by position: shuffle a list's items first if its order means nothing.
    Source: LiPO, DPO_PL; rax `listmle_loss`.
    """
    scores = scores.masked_fill(~mask, 0.0)
    places = ranks(labels, mask)
    # Padding ranks last, so an item's rivals are the items from its own place on, less the padding.
    rivals = (places.unsqueeze(-2) >= places.unsqueeze(-1)) & (both_valid(mask) | _diagonal(mask))
    normalizers = _masked_logsumexp(scores.unsqueeze(-2).expand(rivals.shape), rivals)
    return (normalizers - scores).masked_fill(~mask, 0.0).sum(-1)


def softmax(scores: Tensor, labels: Tensor, mask: Tensor, *, softmax_labels: str = "raw") -> Tensor:
    """ListNet: -sum_k psi_k * log softmax(s)_k.

    softmax_labels: `raw` takes psi as it is (RAX); `normalized` divides it by the list's sum (the
    paper's formula; all-zero labels count as equal). Raises ValueError for another word.
    Source: LiPO, softmax; rax `softmax_loss` and `normalize_probabilities`.
    """
    if softmax_labels not in SOFTMAX_LABELS:
        raise ValueError(
            f"softmax_labels={softmax_labels!r}: choose one of {', '.join(SOFTMAX_LABELS)}"
        )
    labels = labels.masked_fill(~mask, 0.0)
    if softmax_labels == "normalized":
        total = labels.sum(-1, keepdim=True)
        labels = torch.where(total == 0.0, mask.to(labels), labels)
        labels = labels / labels.sum(-1, keepdim=True).masked_fill(~mask.any(-1, keepdim=True), 1.0)
    scores = scores.masked_fill(~mask, 0.0)
    occupied = mask | ~mask.any(-1, keepdim=True)  # an empty list must not take the log of 0
    return (labels * (_masked_logsumexp(scores, occupied).unsqueeze(-1) - scores)).sum(-1)


def point_mse(scores: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """Sum_k (psi_k - s_k)^2. Source: LiPO, point-mse; rax `pointwise_mse_loss`."""
    return (labels - scores).masked_fill(~mask, 0.0).square().sum(-1)


def point_sigmoid(scores: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """-sum_k [ psi_k log sigmoid(s_k) + (1 - psi_k) log(1 - sigmoid(s_k)) ], psi clipped to [0, 1].

    Source: LiPO, point-sigmoid; rax `pointwise_sigmoid_loss`.
    """
    scores, labels = scores.masked_fill(~mask, 0.0), labels.masked_fill(~mask, 0.0).clamp(0.0, 1.0)
    losses = -labels * logsigmoid(scores) - (1.0 - labels) * logsigmoid(-scores)
    return losses.masked_fill(~mask, 0.0).sum(-1)


@dataclass(frozen=True, slots=True)
class ListLoss:
    """One loss of the family."""

    function: Callable[..., Tensor]
    """(scores, labels, mask, **options) -> [B]."""
    unit: str
    """What RAX's mean counts: pairs | items | lists."""
    options: tuple[str, ...] = ()
    """Names of the keyword arguments it takes."""


LOSSES: dict[str, ListLoss] = {
    "lambda": ListLoss(lambda_loss, "pairs", ("weighting", "list_sizes")),
    "pair_logistic": ListLoss(pair_logistic, "pairs"),
    "pair_hinge": ListLoss(pair_hinge, "pairs"),
    "list_mle": ListLoss(list_mle, "lists"),
    "softmax": ListLoss(softmax, "lists", ("softmax_labels",)),
    "point_mse": ListLoss(point_mse, "items"),
    "point_sigmoid": ListLoss(point_sigmoid, "items"),
}


def lipo_values(
    loss: str,
    scores: Tensor,
    labels: Tensor,
    mask: Tensor,
    *,
    reduction: str = "mean_pairs",
    softmax_labels: str = "raw",
    weighting: LambdaWeighting = RAX_WEIGHTING,
    list_sizes: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Value and weight of each list; the batch's loss is sum(values * weights) / sum(weights).

    loss: a key of LOSSES. scores, labels: [B, K]; mask: [B, K] bool; list_sizes: [B], as in
    `lambda_weights`. reduction: `mean_pairs` is RAX's mean over the batch's pairs (list losses:
    lists, pointwise: items), so a list's value is its own mean and its weight the number of them;
    `sum_per_list` is the paper's mean over lists of the list's sum, with weight 1.
    Returns (values [B], weights [B]). A list without a pair has value 0 and no gradient in the pair
    losses; a list without an item has weight 0. Weights carry no gradient and may all be 0.
    Raises ValueError for an unknown loss or reduction.
    """
    if loss not in LOSSES:
        raise ValueError(f"loss={loss!r}: choose one of {', '.join(LOSSES)}")
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction={reduction!r}: choose one of {', '.join(REDUCTIONS)}")
    chosen = LOSSES[loss]
    given = {"softmax_labels": softmax_labels, "weighting": weighting, "list_sizes": list_sizes}
    sums = chosen.function(scores, labels, mask, **{name: given[name] for name in chosen.options})
    unit = chosen.unit if reduction == "mean_pairs" else "lists"
    counts = _counts(unit, labels, mask).to(sums)
    return sums / counts.clamp(min=1.0), counts


def _counts(unit: str, labels: Tensor, mask: Tensor) -> Tensor:
    """How many pairs, items or lists (1, or 0 without an item) each list holds: [B]."""
    if unit == "pairs":
        return ordered_pairs(labels, mask).sum((-2, -1))
    return mask.sum(-1) if unit == "items" else mask.any(-1)


def _differences(scores: Tensor, mask: Tensor) -> Tensor:
    """s_i - s_j, padding taken as 0: [B, K, K]."""
    scores = scores.masked_fill(~mask, 0.0)
    return scores.unsqueeze(-1) - scores.unsqueeze(-2)


def _sum_pairs(values: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """Sum of values [B, K, K] over the pairs that carry a preference: [B]."""
    return values.masked_fill(~ordered_pairs(labels, mask), 0.0).sum((-2, -1))


def _masked_logsumexp(values: Tensor, mask: Tensor) -> Tensor:
    """Log-sum-exp of the last axis where mask is True; at least one True in each row."""
    return values.masked_fill(~mask, float("-inf")).logsumexp(-1)


def _diagonal(mask: Tensor) -> Tensor:
    """The identity as booleans: [K, K]."""
    return torch.eye(mask.shape[-1], dtype=torch.bool, device=mask.device)
