"""Computes the numbers of the golden vectors, in float64, from a case's inputs and settings."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from prefrun_listwise.contrast import anchor_loss, groco_loss, separation, similarity_groups
from prefrun_listwise.group_order import group_masses, group_order_loss, order_groups
from prefrun_listwise.pro import rank_losses, sft_losses
from prefrun_listwise.skips import MODES, falling_order, kendall_tau, skip_losses
from prefrun_listwise.sorting_network import comparator_weights, rank_masses

VIEW = "projection_image_aug"
INFO = {
    "info_pos_max": "positive_max",
    "info_pos_min": "positive_min",
    "info_neg_max": "negative_max",
    "info_neg_min": "negative_min",
    "info_pos_neg_dist": "gap",
    "sorting": "sorting",
}
"""What the authors' code logs -> our name."""


def pro_ranking(inputs: dict[str, Any], hyper: dict[str, Any], name: str) -> dict[str, Any]:
    """inputs: policy_sum_logps, response_lengths, rewards, each [B][n], and sft_index [B].

    The lists are taken in the order given, also an unsorted one, as the authors' code does.
    """
    del name
    logps = _doubles(inputs["policy_sum_logps"]).requires_grad_()
    scores = logps / _doubles(inputs["response_lengths"])
    rewards = _doubles(inputs["rewards"])
    mask = torch.ones_like(scores, dtype=torch.bool)
    by_place = rank_losses(scores, rewards, mask, eps=hyper["eps"]).mean(0)
    target, sizes = torch.tensor(inputs["sft_index"]), mask.sum(-1)
    supervised = sft_losses(logps, target, sizes, hyper["sft_weight"]).mean()
    total = by_place.sum() + supervised
    (gradient,) = torch.autograd.grad(total, logps)
    return {
        "total_loss": total.item(),
        "rank_losses": by_place.tolist(),
        "sft_term": supervised.item(),
        "grad_policy_sum_logps": gradient.tolist(),
        "stable_rank_losses": rank_losses(scores, rewards, mask).mean(0).tolist(),
    }


def ranklist(inputs: dict[str, Any], hyper: dict[str, Any], name: str) -> dict[str, Any]:
    """inputs: scores [n], labels [n]. hyper: max_skip, min_margin."""
    del name
    scores = _doubles([inputs["scores"]]).requires_grad_()
    labels = _doubles([inputs["labels"]])
    mask = torch.ones_like(labels, dtype=torch.bool)
    computed: dict[str, Any] = {
        "order": falling_order(labels, mask)[0].tolist(),
        "kendall_tau": kendall_tau(scores.detach(), labels, mask)[0].item(),
    }
    for mode in MODES:
        losses, counts = skip_losses(scores, labels, mask, mode=mode, **hyper)
        total = losses.sum() + 0.0 * scores.sum()  # one item: no comparison, and a gradient of 0
        (gradient,) = torch.autograd.grad(total, scores)
        computed[f"{mode}_per_skip"] = losses[0].tolist()
        computed[f"{mode}_sum"] = total.item()
        computed[f"{mode}_grad"] = gradient[0].tolist()
        computed["n_pairs"] = int(counts.sum())
    computed["exact_mean"] = computed["exact_sum"] / max(computed["n_pairs"], 1)
    return computed


def groco(inputs: dict[str, Any], hyper: dict[str, Any], name: str) -> dict[str, Any] | None:
    """inputs: neg_sims [B][k], pos_sims [B][p]. None for a case of embeddings."""
    del name
    if "neg_sims" not in inputs:
        return None
    bad, good = _doubles(inputs["neg_sims"]), _doubles(inputs["pos_sims"])
    scores = torch.cat([bad, good], dim=-1)
    is_good = (torch.arange(scores.shape[-1]) >= bad.shape[-1]).expand(scores.shape)
    everywhere = torch.ones_like(is_good)
    preordered = order_groups(scores, is_good, everywhere, hyper["topk_neg"]).scores
    leaf = preordered.clone().requires_grad_()
    groups = order_groups(leaf, is_good, everywhere)
    steepness = hyper["steepness"]
    sorted_scores, layers = comparator_weights(groups.scores, groups.sizes, steepness)
    identity = torch.eye(scores.shape[-1], dtype=scores.dtype).expand(len(scores), -1, -1)
    loss = group_order_loss(groups, steepness).mean()
    (gradient,) = torch.autograd.grad(loss, leaf)
    return {
        "loss": loss.item(),
        "soft_sorted": sorted_scores.tolist(),
        "perm_matrix": rank_masses(layers, identity).tolist(),
        "pos_mass": group_masses(groups, steepness)[..., 1].tolist(),
        "grad_sims": gradient.tolist(),
    }


def groco_views(inputs: dict[str, Any], hyper: dict[str, Any], name: str) -> dict[str, Any] | None:
    """inputs: projections of each view [B][D], by name. None for a case of similarities."""
    del name
    names = [f"{VIEW}{number}" for number in range(1, hyper.get("n_augs", 0) + 1)]
    if not names:
        return None
    views = [_doubles(inputs[each]).requires_grad_() for each in names]
    loss = groco_loss(views, hyper["topk_neg"], hyper["steepness"], hyper["stop_grad"])
    gradients = torch.autograd.grad(loss, views)
    positives, negatives = similarity_groups(views, 0, hyper["topk_neg"])
    first = separation(positives, negatives)  # the code logs these of its first anchor only
    first["sorting"] = anchor_loss(positives, negatives, hyper["steepness"])
    return {
        "loss": loss.item(),
        "info": {name: first[own].item() for name, own in INFO.items()},
        "grad": {each: slope.tolist() for each, slope in zip(names, gradients, strict=True)},
    }


def _doubles(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
