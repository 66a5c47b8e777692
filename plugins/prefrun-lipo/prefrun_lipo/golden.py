"""Computes the numbers of a golden-vector case of `lipo.json` from its inputs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from prefrun_lipo.lambda_weights import LambdaWeighting, lambda_weights
from prefrun_lipo.loss import lambda_loss, lipo_values

PRINTED = LambdaWeighting(scale="paper", log_base="e")

VARIANTS: dict[str, tuple[str, str]] = {
    "lambda": ("lambda", "raw"),
    "pair_logistic": ("pair_logistic", "raw"),
    "pair_hinge": ("pair_hinge", "raw"),
    "list_mle": ("list_mle", "raw"),
    "softmax_raw": ("softmax", "raw"),
    "softmax_norm": ("softmax", "normalized"),
    "point_mse": ("point_mse", "raw"),
    "point_sigmoid": ("point_sigmoid", "raw"),
}
"""Name in the vector file -> loss and softmax labels of `lipo_values`."""


def compute(inputs: dict[str, Any], hyper: dict[str, Any], name: str) -> dict[str, Any]:
    """Every expected key of one case, in float64.

    inputs: policy_logps, ref_logps, labels, mask, each [B][K]; hyper: beta; name: the case's.
    """
    policy = torch.tensor(inputs["policy_logps"], dtype=torch.float64, requires_grad=True)
    labels = torch.tensor(inputs["labels"], dtype=torch.float64)
    mask = torch.tensor(inputs["mask"]).bool()
    scores = _scores(policy, inputs, hyper)
    padded_sizes = torch.full(mask.shape[:1], mask.shape[1])  # RAX counts the padding

    computed: dict[str, Any] = {}
    for key, (loss, softmax_labels) in VARIANTS.items():
        mean, total = (
            lipo_values(
                loss,
                scores,
                labels,
                mask,
                reduction=reduction,
                softmax_labels=softmax_labels,
                list_sizes=padded_sizes,
            )
            for reduction in ("mean_pairs", "sum_per_list")
        )
        (gradient,) = torch.autograd.grad(total[0].sum(), policy, retain_graph=True)
        computed[f"{key}.sum"] = total[0].sum().item()
        computed[f"{key}.mean"] = _reduce(*mean).item()
        computed[f"{key}.sum.grad_policy_logps"] = gradient.tolist()

    weights = lambda_weights(scores, labels, mask, list_sizes=padded_sizes)
    printed = lambda_loss(scores, labels, mask, weighting=PRINTED)
    computed["rax_dcg_lambdaweight"] = weights.flatten(1).tolist()
    computed["paper_lambda_natural_log_sum_per_list"] = printed.tolist()
    return computed


def _scores(policy: Tensor, inputs: dict[str, Any], hyper: dict[str, Any]) -> Tensor:
    """s = beta * (log pi - log pi_ref): [B, K]."""
    beta: float = hyper["beta"]
    return beta * (policy - torch.tensor(inputs["ref_logps"], dtype=torch.float64))


def _reduce(values: Tensor, weights: Tensor) -> Tensor:
    """The host's weighted mean, 0 when no list counts."""
    return (values * weights).sum() / weights.sum().clamp(min=1.0)
