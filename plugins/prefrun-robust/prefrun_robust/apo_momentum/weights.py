"""The momentum step on a model's weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from prefrun.errors import ConfigError
from prefrun_robust.apo_momentum.momentum import extrapolated, extrapolated_product

Weights = dict[str, Tensor]
LORA = ("lora_A", "lora_B")


def trained_weights(model: Any) -> Weights:
    """Copy every parameter that is trained; buffers and frozen weights are left out."""
    named = model.named_parameters()
    return {name: weight.detach().clone() for name, weight in named if weight.requires_grad}


@torch.no_grad()
def set_weights(model: Any, weights: Weights) -> None:
    """Give MODEL the WEIGHTS that `trained_weights` returned."""
    parameters = dict(model.named_parameters())
    for name, value in weights.items():
        parameters[name].copy_(value)


def check_extrapolation(model: Any) -> None:
    """Raise ConfigError where MODEL has adapters whose product is not known here."""
    strange = [name for name in trained_weights(model) if "lora_embedding" in name]
    if strange:
        raise ConfigError(
            f"model.lora.target_modules: {strange[0]} adapts an embedding, and momentum is known "
            "for adapters of linear layers only\n  remedy: leave it out"
        )


@torch.no_grad()
def extrapolate(model: Any, old: Weights, alpha: float) -> float:
    """Set MODEL, which is pihat_{t+1}, to pi_{t+1}, given the weights OLD of pihat_t.

    Of a low-rank adapter the product B A is extrapolated and brought back to the adapter's rank.
    Returns the largest part of a product's norm that this lost. With alpha = 0 nothing changes.
    """
    if alpha == 0:
        return 0.0
    parameters = dict(model.named_parameters())
    lost = 0.0
    for name, before in old.items():
        weight = parameters[name]
        if LORA[0] in name:
            partner = name.replace(*LORA)
            other = parameters[partner]
            down, up, part = extrapolated_product((weight, other), (before, old[partner]), alpha)
            weight.copy_(down)
            other.copy_(up)
            lost = max(lost, part)
        elif LORA[1] not in name:
            weight.copy_(extrapolated(weight, before, alpha))
    return lost
