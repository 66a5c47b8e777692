"""Computes the numbers of a golden-vector case of `orchestrator.json` from its inputs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from prefrun_orchestrator.weights import (
    Statistics,
    adapter_loss,
    best_and_worst,
    log_target_weights,
    normalise,
    scalarise,
)


def compute(inputs: dict[str, Any], hyper: dict[str, Any], name: str) -> dict[str, Any]:
    """Every expected key of one case, in float64.

    Cases with rewards_chosen and adapter_logits [B][K] are of the adapter (hyper: temperature,
    reward_norm, stats); those with rewards and weights of the weighted sum, [B][K], or of the
    choice of a pair, [B][N][K].
    """
    del name
    if "adapter_logits" in inputs:
        return _adapter(inputs, hyper)
    rewards, weights = _double(inputs["rewards"]), _double(inputs["weights"])
    if rewards.dim() == 2:
        return {"total": scalarise(rewards, weights).tolist()}
    scores = scalarise(rewards, weights.unsqueeze(1))
    pairs = [best_and_worst(row) for row in scores]
    return {
        "scores": scores.tolist(),
        "chosen": [pair and pair[0] for pair in pairs],
        "rejected": [pair and pair[1] for pair in pairs],
    }


def _adapter(inputs: dict[str, Any], hyper: dict[str, Any]) -> dict[str, Any]:
    statistics = Statistics(**{key: _double(values) for key, values in hyper["stats"].items()})
    rewards = normalise(_double(inputs["rewards_chosen"]), hyper["reward_norm"], statistics)
    log_target = log_target_weights(rewards, hyper["temperature"])
    logits = _double(inputs["adapter_logits"]).requires_grad_()
    values = adapter_loss(logits, log_target)
    (gradient,) = torch.autograd.grad(values.mean(), logits)
    return {
        "target_weights": log_target.exp().tolist(),
        "pred_weights": logits.softmax(-1).tolist(),
        "kl_per_prompt": values.tolist(),
        "loss": values.mean().item(),
        "grad_adapter_logits": gradient.tolist(),
    }


def _double(values: list[Any]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
