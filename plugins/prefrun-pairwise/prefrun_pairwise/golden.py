"""Computes the numbers of a golden-vector case of `insights_variants.json` from its inputs.

Also the DPO-gamma cases of `ranking_accuracy.json`, whose inputs are sequence log-probs.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from prefrun_pairwise import kto
from prefrun_pairwise.cpo import CpoKnobs, alpha_rewards, cpo_values
from prefrun_pairwise.dpo import PairKnobs, dpo_gamma
from prefrun_pairwise.mixture import pair_terms
from prefrun_pairwise.orpo import log_odds_ratios, orpo_values
from prefrun_pairwise.pairs import Pairs, implied_rewards
from prefrun_pairwise.tokens import (
    length_desensitized_weights,
    mean_logps,
    sum_logps,
    wpo_weights,
)

SIDES = ("chosen", "rejected")
KNOBS = {"f_divergence_type": "divergence", "f_alpha_divergence_coef": "divergence_alpha"}
"""TRL's name -> ours; the other names are the same."""


def compute(inputs: dict[str, Any], hyper: dict[str, Any], name: str) -> dict[str, Any]:
    """Every expected key of one case, in float64. The family follows from the inputs."""
    if "policy_chosen_token_logps" in inputs:
        return _dpo(inputs, hyper)
    if "label" in inputs:
        return _kto(inputs, hyper)
    if "policy_chosen_avg_logps" in inputs:
        return _orpo(inputs, hyper)
    return _dpo_gamma(inputs, hyper) if "gamma" in hyper else _cpo(inputs, hyper)


def dpo_cases(inputs: dict[str, Any], hyper: dict[str, Any], name: str) -> dict[str, Any] | None:
    """The cases of algo=dpo."""
    return compute(inputs, hyper, name) if "policy_chosen_token_logps" in inputs else None


def ipo_cases(inputs: dict[str, Any], hyper: dict[str, Any], name: str) -> dict[str, Any] | None:
    """The cases of algo=ipo: as of the other choices of algo=dpo, those of its loss alone."""
    return compute(inputs, hyper, name) if hyper.get("loss_type") == ["ipo"] else None


def robust_cases(inputs: dict[str, Any], hyper: dict[str, Any], name: str) -> dict[str, Any] | None:
    """The cases of algo=cdpo with unbiased=true."""
    return compute(inputs, hyper, name) if hyper.get("loss_type") == ["robust"] else None


def sigmoid_norm_cases(
    inputs: dict[str, Any], hyper: dict[str, Any], name: str
) -> dict[str, Any] | None:
    """The cases of algo=dpo_norm."""
    return compute(inputs, hyper, name) if hyper.get("loss_type") == ["sigmoid_norm"] else None


def kto_cases(inputs: dict[str, Any], hyper: dict[str, Any], name: str) -> dict[str, Any] | None:
    """The cases of algo=kto."""
    return compute(inputs, hyper, name) if "label" in inputs else None


def cpo_cases(inputs: dict[str, Any], hyper: dict[str, Any], name: str) -> dict[str, Any] | None:
    """The cases of algo=cpo."""
    chosen = "cpo_alpha" in hyper and hyper["loss_type"] != "simpo"
    return compute(inputs, hyper, name) if chosen else None


def simpo_cases(inputs: dict[str, Any], hyper: dict[str, Any], name: str) -> dict[str, Any] | None:
    """The cases of algo=simpo."""
    return compute(inputs, hyper, name) if hyper.get("loss_type") == "simpo" else None


def orpo_cases(inputs: dict[str, Any], hyper: dict[str, Any], name: str) -> dict[str, Any] | None:
    """The cases of algo=orpo."""
    return compute(inputs, hyper, name) if "policy_chosen_avg_logps" in inputs else None


def _dpo(inputs: dict[str, Any], hyper: dict[str, Any]) -> dict[str, Any]:
    """A mixture of DPO-family losses on token log-probs."""
    tokens = {side: _leaf(inputs[f"policy_{side}_token_logps"]) for side in SIDES}
    masks = {side: torch.tensor(inputs[f"{side}_mask"]).bool() for side in SIDES}
    pairs = _pairs(inputs, hyper, tokens, masks)
    pair_weights = None
    if hyper.get("use_weighting"):
        chosen, rejected = (
            wpo_weights(tokens[side], _fixed(inputs[f"log_sum_sq_probs_{side}"]), masks[side])
            for side in SIDES
        )
        pair_weights = chosen * rejected

    knobs = PairKnobs(
        **{
            KNOBS.get(key, key): value
            for key, value in hyper.items()
            if key not in ("loss_type", "loss_weights", "ld_alpha", "use_weighting")
        }
    )
    names = hyper["loss_type"]
    coefficients = hyper.get("loss_weights", [1.0] * len(names))
    mixture = list(zip(names, coefficients, strict=True))
    terms = pair_terms(mixture, pairs, knobs, pair_weights)
    loss = torch.stack([(v * w).sum() / w.sum().clamp(min=1.0) for v, w in terms]).sum()
    gradients = _gradients(loss, tokens)
    rewards = implied_rewards(pairs, hyper["beta"])
    return {
        "loss": loss.item(),
        **{f"grad_policy_{side}_token_logps": gradients[side] for side in SIDES},
        "metrics": {key: value.item() for key, value in rewards.items()},
    }


def _pairs(
    inputs: dict[str, Any],
    hyper: dict[str, Any],
    tokens: dict[str, Tensor],
    masks: dict[str, Tensor],
) -> Pairs:
    """Sum the policy's tokens; the vectors give the reference's sums.

    TRL zeroes padded log-probs and then sums every position, so its gradients, which the vectors
    hold, are not 0 there: padding is summed here as well, where it is 0 too.
    """
    lengths = {side: masks[side].sum(-1) for side in SIDES}
    alpha = hyper.get("ld_alpha")
    sums = {}
    for side in SIDES:
        counted, weights = torch.ones_like(masks[side]), None
        if alpha is not None:
            counted = masks[side].cumsum(-1) > 0
            shared = torch.minimum(*lengths.values())
            weights = length_desensitized_weights(masks[side], shared, alpha)
        sums[side] = sum_logps(tokens[side], counted, weights)
    return Pairs(
        chosen_logps=sums["chosen"],
        rejected_logps=sums["rejected"],
        ref_chosen_logps=_fixed(inputs["ref_chosen_logps"]),
        ref_rejected_logps=_fixed(inputs["ref_rejected_logps"]),
        chosen_lengths=lengths["chosen"],
        rejected_lengths=lengths["rejected"],
        chosen_nll=-mean_logps(tokens["chosen"], masks["chosen"]),
    )


def _dpo_gamma(inputs: dict[str, Any], hyper: dict[str, Any]) -> dict[str, Any]:
    """DPO-gamma on sequence log-probs."""
    policy = {side: _leaf(inputs[f"policy_{side}_logps"]) for side in SIDES}
    ones = torch.ones_like(policy["chosen"])
    pairs = Pairs(
        chosen_logps=policy["chosen"],
        rejected_logps=policy["rejected"],
        ref_chosen_logps=_fixed(inputs["ref_chosen_logps"]),
        ref_rejected_logps=_fixed(inputs["ref_rejected_logps"]),
        chosen_lengths=ones,
        rejected_lengths=ones,
        chosen_nll=-policy["chosen"],
    )
    values = dpo_gamma(pairs, PairKnobs(beta=hyper["beta"], gamma=hyper["gamma"]))
    gradients = _gradients(values.sum(), policy)
    return {
        "loss.per_example": values.tolist(),
        "loss.mean": values.mean().item(),
        **{f"grad_policy_{side}_logps(per_example_loss)": gradients[side] for side in SIDES},
    }


def _kto(inputs: dict[str, Any], hyper: dict[str, Any]) -> dict[str, Any]:
    """KTO or APO-zero on single answers."""
    policy = _leaf(inputs["policy_logps"])
    ratios = policy - _fixed(inputs["ref_logps"])
    desirable = torch.tensor(inputs["label"]).bool()
    knobs = {key: value for key, value in hyper.items() if key != "loss_type"}
    if hyper["loss_type"] == "kto":
        kl = kto.kl_estimate(_fixed(inputs["policy_kl_logps"]), _fixed(inputs["ref_kl_logps"]))
        values = kto.kto(ratios, desirable, kl, **knobs)
    else:
        kl = torch.zeros(())
        values = kto.apo_zero_unpaired(ratios, desirable, **knobs)
    loss = values.mean()
    return {
        "loss": loss.item(),
        "kl": kl.item(),
        "grad_policy_logps": _gradients(loss, {"policy": policy})["policy"],
    }


def _cpo(inputs: dict[str, Any], hyper: dict[str, Any]) -> dict[str, Any]:
    """CPO, SimPO or AlphaPO on sequence log-probs, plus the NLL term."""
    policy = {side: _leaf(inputs[f"policy_{side}_logps"]) for side in SIDES}
    names = ("beta", "label_smoothing", "simpo_gamma", "alpha")
    knobs = CpoKnobs(**{key: hyper[key] for key in names if key in hyper})
    values = cpo_values(hyper["loss_type"], policy["chosen"], policy["rejected"], knobs)
    loss = values.mean() + hyper["cpo_alpha"] * inputs["chosen_nll"]
    gradients = _gradients(loss, policy)
    rewards = {side: knobs.beta * alpha_rewards(policy[side], knobs.alpha) for side in SIDES}
    return {
        "per_sequence_loss": values.tolist(),
        "loss": loss.item(),
        **{f"{side}_rewards": rewards[side].tolist() for side in SIDES},
        **{f"grad_policy_{side}_logps": gradients[side] for side in SIDES},
    }


def _orpo(inputs: dict[str, Any], hyper: dict[str, Any]) -> dict[str, Any]:
    """ORPO on token-averaged log-probs, plus the NLL term; TRL itself computes it in float32."""
    policy = {side: _leaf(inputs[f"policy_{side}_avg_logps"]) for side in SIDES}
    nll = _fixed(inputs["chosen_nll"])
    loss = nll + orpo_values(*policy.values(), beta=hyper["beta"]).mean()
    singles = [logps.detach().float() for logps in policy.values()]
    single_loss = nll.float() + orpo_values(*singles, beta=hyper["beta"]).mean()
    gradients = _gradients(loss, policy)
    return {
        "loss": loss.item(),
        "log_odds": log_odds_ratios(*policy.values()).tolist(),
        "trl_float32_loss": single_loss.item(),
        **{f"grad_policy_{side}_avg_logps": gradients[side] for side in SIDES},
    }


def _leaf(values: Any) -> Tensor:
    """A float64 tensor whose gradient is asked for."""
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def _fixed(values: Any) -> Tensor:
    """A float64 tensor without gradient."""
    return torch.tensor(values, dtype=torch.float64)


def _gradients(loss: Tensor, leaves: dict[str, Tensor]) -> dict[str, list[Any]]:
    """Gradient of the loss at each leaf, 0 where it does not depend on it."""
    found = torch.autograd.grad(
        loss, list(leaves.values()), retain_graph=True, materialize_grads=True
    )
    return {side: gradient.tolist() for side, gradient in zip(leaves, found, strict=True)}
