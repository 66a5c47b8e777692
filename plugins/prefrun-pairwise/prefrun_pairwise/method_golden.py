"""Computes the golden cases of Poly-DPO, DA-DPO and Curri-DPO from their inputs, in float64."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from prefrun_pairwise.curriculum import easy_to_hard, pairs_of, rank_order, stages_of
from prefrun_pairwise.difficulty import beta_weights
from prefrun_pairwise.dpo import PairKnobs, sigmoid
from prefrun_pairwise.logistic import poly_logistic
from prefrun_pairwise.pairs import Pairs

SIDES = ("chosen", "rejected")
CHOICES = {"all_pairs": "all"}
"""The vectors' name of a choice of pairs -> ours; the others are the same."""


def poly_dpo(inputs: dict[str, Any], hyper: dict[str, Any], name: str) -> dict[str, Any]:
    """The loss on given logits, or on those of Diffusion-DPO."""
    del name
    if "logit" not in inputs:
        return _diffusion(inputs, hyper)
    logits = _leaf(inputs["logit"])
    values = poly_logistic(logits, hyper["alpha"])
    (gradient,) = torch.autograd.grad(values.sum(), logits)
    return {
        "loss.per_example": values.tolist(),
        "loss.mean": values.mean().item(),
        "dloss_dlogit(per_example)": gradient.tolist(),
        "closed_form_grad": gradient.tolist(),
    }


def _diffusion(inputs: dict[str, Any], hyper: dict[str, Any]) -> dict[str, Any]:
    """Logits -(beta / 2) (difference of the policy's errors - that of the reference's)."""
    predicted, target = _leaf(inputs["model_pred"]), _fixed(inputs["target"])
    differences = []
    for noise in (predicted, _fixed(inputs["ref_pred"])):
        chosen, rejected = (noise - target).square().flatten(1).mean(-1).chunk(2)
        differences.append(chosen - rejected)
    logits = -0.5 * hyper["beta_dpo"] * (differences[0] - differences[1])
    loss = poly_logistic(logits, hyper["alpha"]).mean()
    (gradient,) = torch.autograd.grad(loss, predicted)
    return {
        "logit": logits.tolist(),
        "loss.mean": loss.item(),
        "grad_model_pred": gradient.tolist(),
    }


def da_dpo(inputs: dict[str, Any], hyper: dict[str, Any], name: str) -> dict[str, Any]:
    """DPO with a beta for every pair."""
    del name
    policy = {side: _leaf(inputs[f"policy_{side}_logps"]) for side in SIDES}
    chosen, rejected = (_fixed(inputs[f"{side}_score"]) for side in SIDES)
    weights = beta_weights(chosen, rejected, hyper["db_alpha"])
    pairs = _pairs(policy, inputs)
    values = sigmoid(pairs, PairKnobs(beta=hyper["beta"] * weights))
    gradients = torch.autograd.grad(values.mean(), list(policy.values()))
    return {
        "weight": weights.tolist(),
        "loss.per_example": values.tolist(),
        "loss.mean": values.mean().item(),
        "chosen_rewards": (hyper["beta"] * pairs.chosen_ratios).tolist(),
        "rejected_rewards": (hyper["beta"] * pairs.rejected_ratios).tolist(),
        **{
            f"loss.mean.grad_policy_{side}_logps": gradient.tolist()
            for side, gradient in zip(SIDES, gradients, strict=True)
        },
    }


def curry_dpo(inputs: dict[str, Any], hyper: dict[str, Any], name: str) -> dict[str, Any]:
    """The pairs and stages of one list, or the loss of one stage."""
    del name
    if "scores" not in inputs:
        policy = {side: _leaf(inputs[f"policy_{side}_logps"]) for side in SIDES}
        values = sigmoid(_pairs(policy, inputs), PairKnobs(beta=hyper["beta"]))
        gradients = torch.autograd.grad(values.mean(), list(policy.values()))
        return {
            "losses": values.tolist(),
            "loss": values.mean().item(),
            "grad_chosen": gradients[0].tolist(),
            "grad_rejected": gradients[1].tolist(),
        }
    scores = inputs["scores"]

    def gap(pair: tuple[int, int]) -> float:
        difference: float = scores[pair[0]] - scores[pair[1]]
        return difference

    choice = CHOICES.get(hyper["pairs"], hyper["pairs"])
    pairs = easy_to_hard(pairs_of(scores, choice), gap)
    return {
        "rank_order": rank_order(scores),
        "pairs_easy_to_hard": [list(pair) for pair in pairs],
        "gaps": [gap(pair) for pair in pairs],
        "stages": [[list(pair) for pair in stage] for stage in stages_of(pairs, hyper["stages"])],
    }


def _pairs(policy: dict[str, Tensor], inputs: dict[str, Any]) -> Pairs:
    """Pairs of sequence log-probs."""
    ones = torch.ones_like(policy["chosen"])
    return Pairs(
        chosen_logps=policy["chosen"],
        rejected_logps=policy["rejected"],
        ref_chosen_logps=_fixed(inputs["ref_chosen_logps"]),
        ref_rejected_logps=_fixed(inputs["ref_rejected_logps"]),
        chosen_lengths=ones,
        rejected_lengths=ones,
        chosen_nll=-policy["chosen"],
    )


def _leaf(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def _fixed(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
