"""Computes the numbers of a golden-vector case of `lcpo.json` from its inputs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from prefrun_robust.lcpo.bases import BASES, Side
from prefrun_robust.lcpo.loss import (
    expected_nll,
    gibbs_logits,
    label_posterior,
    loss_mix,
    marginal_nll,
    updated_reliability,
)

KNOBS = {"beta": "beta", "gamma": "gamma", "tau": "tau", "lam": "nll_weight"}
"""Knob in the vector file -> keyword of the base loss."""


def compute(inputs: dict[str, Any], hyper: dict[str, Any], name: str) -> dict[str, Any]:
    """Every expected key of one case, in float64. IPO's log-ratios are sums there, not means."""
    if "iterations" in hyper:
        return _iterate(inputs, hyper["iterations"])
    winner, loser = _side(inputs, "chosen"), _side(inputs, "rejected")
    keys: dict[str, Any] = {KNOBS[key]: value for key, value in hyper.items() if key in KNOBS}
    if hyper["base_loss"] == "ipo":
        keys["average"] = False
    base = BASES[hyper["base_loss"]]
    observed, flipped = base(winner, loser, **keys), base(loser, winner, **keys)
    logits = gibbs_logits(observed, flipped)

    names = sorted(inputs["eta"])
    eta = _doubles([inputs["eta"][each] for each in names])
    index = torch.tensor([names.index(each) for each in inputs["annotator"]])
    posterior = label_posterior(logits, eta[index])
    if hyper["m_step"] == "likelihood":
        values = expected_nll(logits, posterior)
    else:
        values = loss_mix(observed, flipped, posterior)
    leaves = [winner.policy, loser.policy]
    gradients = torch.autograd.grad(values.mean(), leaves, retain_graph=True)
    zeros = torch.zeros_like(eta)
    after = updated_reliability(
        eta,
        zeros.index_add(0, index, posterior),
        zeros.index_add(0, index, torch.ones_like(posterior)),
        hyper["ema_alpha"],
    )
    return {
        "base_loss_observed": observed.tolist(),
        "base_loss_flipped": flipped.tolist(),
        "p_clean_observed": torch.sigmoid(logits).tolist(),
        "w": posterior.tolist(),
        "loss.per_example": values.tolist(),
        "loss.mean": values.mean().item(),
        "marginal_nll.per_example": marginal_nll(logits, eta[index]).tolist(),
        "loss.mean.grad_policy_chosen_logps": gradients[0].tolist(),
        "loss.mean.grad_policy_rejected_logps": gradients[1].tolist(),
        "eta_after": dict(zip(names, after.tolist(), strict=True)),
    }


def _iterate(inputs: dict[str, Any], iterations: int) -> dict[str, Any]:
    """The exact M-step of one annotator's eta, with p held fixed: the mean of w."""
    logits = _doubles(inputs["p_clean_observed"]).logit()
    eta, one = _doubles([inputs["eta0"]]), _doubles([1.0])
    found = {}
    for number in range(1, iterations + 1):
        mean = label_posterior(logits, eta.expand_as(logits)).mean(-1, keepdim=True)
        eta = updated_reliability(eta, mean, one, rate=1.0)
        found[f"eta_{number}"] = eta.item()
    return found


def _side(inputs: dict[str, Any], side: str) -> Side:
    policy = _doubles(inputs[f"policy_{side}_logps"]).requires_grad_()
    return Side(policy, _doubles(inputs[f"ref_{side}_logps"]), _doubles(inputs[f"{side}_len"]))


def _doubles(values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
