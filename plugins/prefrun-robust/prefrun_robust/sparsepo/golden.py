"""Computes the numbers of a golden-vector case of `sparsepo.json` from its inputs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from prefrun_robust.sparsepo.loss import (
    MaskedAnswers,
    implied_reward,
    sparsepo_values,
    token_terms,
)


def compute(inputs: dict[str, Any], hyper: dict[str, Any], name: str) -> dict[str, Any]:
    """Every expected key of one case, in float64."""
    logits = _doubles(inputs["policy_chosen_logits"]).requires_grad_()
    mask = _doubles(inputs["reward_mask_chosen"]).requires_grad_()
    kl_mask = mask if hyper["common_mask"] else _doubles(inputs["kl_mask_chosen"])
    chosen = _answers(inputs, "chosen", logits, mask, kl_mask)
    rejected = _answers(
        inputs,
        "rejected",
        _doubles(inputs["policy_rejected_logits"]),
        _doubles(inputs["reward_mask_rejected"]),
        _doubles(inputs["kl_mask_rejected"]),
    )
    values = sparsepo_values(
        chosen,
        rejected,
        beta=hyper["beta"],
        l1_reward=hyper["l1_u"],
        l1_kl=hyper["l1_d"],
    )
    by_mask, by_logits = torch.autograd.grad(values.mean(), [mask, logits])
    return {
        "u": (chosen.reward - rejected.reward).tolist(),
        "d": (chosen.divergence - rejected.divergence).tolist(),
        "losses": values.tolist(),
        "loss": values.mean().item(),
        "chosen_rewards": implied_reward(chosen, hyper["beta"]).tolist(),
        "rejected_rewards": implied_reward(rejected, hyper["beta"]).tolist(),
        "grad_reward_mask_chosen": by_mask.tolist(),
        "grad_policy_chosen_logits": by_logits.tolist(),
    }


def _answers(
    inputs: dict[str, Any], side: str, logits: Tensor, mask: Tensor, kl_mask: Tensor
) -> MaskedAnswers:
    labels = torch.tensor(inputs[f"{side}_labels"])
    reference = _doubles(inputs[f"ref_{side}_logits"]).log_softmax(-1)
    rewards, kl = token_terms(
        logits.log_softmax(-1).flatten(0, 1), reference.flatten(0, 1), labels.flatten()
    )
    tokens = _doubles(inputs[f"{side}_loss_mask"])
    return MaskedAnswers(rewards.view_as(tokens), kl.view_as(tokens), mask, kl_mask, tokens)


def _doubles(values: list[Any]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
