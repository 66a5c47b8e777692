"""Computes the numbers of a golden-vector case of `apo_momentum.json` from its inputs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from prefrun_robust.apo_momentum.momentum import dpo_values, extrapolated, sppo_values
from prefrun_robust.apo_momentum.tabular import rounds


def compute(inputs: dict[str, Any], hyper: dict[str, Any], name: str) -> dict[str, Any]:
    """Every expected key of one case, in float64."""
    if "reward" in inputs:
        return _tabular(inputs, hyper)
    if "theta_hat_new" in inputs:
        new, old = _doubles(inputs["theta_hat_new"]), _doubles(inputs["theta_hat_old"])
        return {"theta": extrapolated(new, old, hyper["alpha"]).tolist()}
    if "logratio_policy_over_ref" in inputs:
        return _sppo(inputs, hyper)
    return _dpo(inputs, hyper)


def _tabular(inputs: dict[str, Any], hyper: dict[str, Any]) -> dict[str, Any]:
    steps = list(
        rounds(
            _doubles(inputs["ref_logits"]).log_softmax(-1),
            _doubles(inputs["reward"]),
            beta=hyper["beta"],
            alpha=hyper["alpha"],
            count=hyper["iterations"],
        )
    )
    return {
        "log_pi_hat": [hat.tolist() for hat, _ in steps],
        "log_pi_extrapolated": [policy.tolist() for _, policy in steps],
    }


def _dpo(inputs: dict[str, Any], hyper: dict[str, Any]) -> dict[str, Any]:
    sides, references, found = [], [], {}
    for side in ("chosen", "rejected"):
        sides.append(_doubles(inputs[f"policy_{side}_logps"]).requires_grad_())
        new, old = _doubles(inputs[f"hat_t_{side}"]), _doubles(inputs[f"hat_tm1_{side}"])
        references.append(extrapolated(new, old, hyper["alpha"]))
        found[f"ref_{side}_unnormalised"] = references[-1].tolist()
    values = dpo_values(sides[0] - references[0], sides[1] - references[1], hyper["beta"])
    gradients = torch.autograd.grad(values.mean(), sides)
    return found | {
        "loss.per_example": values.tolist(),
        "loss.mean": values.mean().item(),
        "grad_policy_chosen_logps": gradients[0].tolist(),
        "grad_policy_rejected_logps": gradients[1].tolist(),
    }


def _sppo(inputs: dict[str, Any], hyper: dict[str, Any]) -> dict[str, Any]:
    ratios = _doubles(inputs["logratio_policy_over_ref"]).requires_grad_()
    values = sppo_values(ratios, _doubles(inputs["p_beat_current"]), hyper["eta"])
    (gradient,) = torch.autograd.grad(values.mean(), ratios)
    return {
        "loss.per_example": values.tolist(),
        "loss.mean": values.mean().item(),
        "grad": gradient.tolist(),
    }


def _doubles(values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
