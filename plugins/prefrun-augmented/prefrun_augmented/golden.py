"""Computes the numbers of the golden-vector cases from their inputs, in float64."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from prefrun_augmented.degrees import without_keywords
from prefrun_augmented.mapl_loss import inter_values, intra_values
from prefrun_augmented.rationale_loss import rationale_values, rorpo_loss
from prefrun_augmented.spo_loss import degree_values

Case = dict[str, Any]


def dove(inputs: Case, hyper: Case, name: str) -> Case:
    """Per side [B][T]: policy_, ref_..._token_logps, mask, and prompt_len [B]; hyper: beta."""
    computed: Case = {}
    for key, joint in (("dove", True), ("dpo_conditional", False)):
        leaves, sums = {}, {}
        for side in ("chosen", "rejected"):
            leaves[side] = _tensor(inputs[f"policy_{side}_token_logps"]).requires_grad_()
            mask = _tensor(inputs[f"{side}_mask"])
            if not joint:
                places = torch.arange(mask.shape[-1])
                mask = mask * (places >= torch.tensor(inputs[f"{side}_prompt_len"])[:, None])
            ratios = leaves[side] - _tensor(inputs[f"ref_{side}_token_logps"])
            sums[side] = (ratios * mask).sum(-1)
        margins = sums["chosen"] - sums["rejected"]
        losses = -logsigmoid(hyper["beta"] * margins)
        gradients = torch.autograd.grad(losses.mean(), [leaves["chosen"], leaves["rejected"]])
        computed |= {
            f"{key}.logits": margins.tolist(),
            f"{key}.losses": losses.tolist(),
            f"{key}.loss": losses.mean().item(),
            f"{key}.grad_chosen_tokens": gradients[0].tolist(),
            f"{key}.grad_rejected_tokens": gradients[1].tolist(),
        }
    return computed


def mapl(inputs: Case, hyper: Case, name: str) -> Case:
    """Six rewards [B], or six log-probs of policy and reference; hyper: lambdas, beta."""
    given = inputs.get("policy_logps", inputs)
    leaves = {key: _tensor(values).requires_grad_() for key, values in given.items()}
    rewards = leaves
    if "policy_logps" in inputs:
        rewards = {
            key: hyper["beta"] * (leaf - _tensor(inputs["ref_logps"][key]))
            for key, leaf in leaves.items()
        }
    margin = rewards["r_x_w"] - rewards["r_x_l"]
    base = -logsigmoid(margin)
    intra = intra_values(rewards["r_xp_y"], rewards["r_xm_y"])
    wider = rewards["r_x2_w"] - rewards["r_x2_l"]
    inter = inter_values(wider, margin, torch.ones_like(margin))
    loss = (base + hyper["lambda_intra"] * intra + hyper["lambda_inter"] * inter).mean()
    return {
        "base": base.tolist(),
        "intra": intra.tolist(),
        "inter": inter.tolist(),
        "loss": loss.item(),
        "grads": _gradients(loss, leaves),
    }


def rationales(inputs: Case, hyper: Case, name: str) -> Case:
    """RDPO: five log-probs [B]; RORPO: three mean log-probs [B] and chosen_nll; beta, gamma."""
    if "chosen_nll" in inputs:
        return _rorpo(inputs, hyper)
    sides = ("chosen", "rejected", "rationale")
    leaves = {s: _tensor(inputs[f"policy_{s}_logps"]).requires_grad_() for s in sides}
    margin = (leaves["chosen"] - leaves["rejected"]) - (
        _tensor(inputs["ref_chosen_logps"]) - _tensor(inputs["ref_rejected_logps"])
    )
    pair = -logsigmoid(hyper["beta"] * margin)
    forms = {
        "dpo": torch.zeros_like(pair),
        "rdpo_official": rationale_values(leaves["rationale"], hyper["gamma"], "logsigmoid"),
        "rdpo_paper_nll": rationale_values(leaves["rationale"], hyper["gamma"], "nll"),
    }
    computed: Case = {}
    for key, values in forms.items():
        losses = pair + values
        computed[f"{key}.losses"] = losses.tolist()
        computed[f"{key}.loss"] = losses.mean().item()
        named = {f"policy_{side}": leaf for side, leaf in leaves.items()}
        computed[f"{key}.grads"] = _gradients(losses.mean(), named)
    return computed


def _rorpo(inputs: Case, hyper: Case) -> Case:
    sides = ("chosen", "rejected", "rationale")
    leaves = {f"policy_{s}": _tensor(inputs[f"policy_{s}_avg_logps"]) for s in sides}
    for leaf in leaves.values():
        leaf.requires_grad_()
    nll = torch.tensor(inputs["chosen_nll"], dtype=torch.float64)
    arguments = (*leaves.values(), nll, hyper["beta"], hyper["gamma"])
    simple, odds = rorpo_loss(*arguments, "nll")
    sigmoid, _ = rorpo_loss(*arguments, "logsigmoid")
    return {
        "rorpo_simple_loss": simple.item(),
        "rorpo_sigmoid_loss": sigmoid.item(),
        "log_odds": odds.tolist(),
        "grads": _gradients(simple, leaves),
    }


def spo(inputs: Case, hyper: Case, name: str) -> Case:
    """Loss cases: align_losses [B], degree_logits [N][M], degree_labels [N]; or removal of text."""
    if "text" in inputs:
        keywords = [phrase for phrase, _ in inputs["keywords"]]
        texts = without_keywords(inputs["text"], keywords, hyper["levels"])
        return {"texts": texts, "labels": list(range(hyper["levels"]))}
    logits = _tensor(inputs["degree_logits"]).requires_grad_()
    labels = torch.tensor(inputs["degree_labels"])
    values = degree_values(logits, labels)
    loss = _tensor(inputs["align_losses"]).mean() + hyper["gamma"] * values.mean()
    (gradient,) = torch.autograd.grad(loss, logits)
    return {
        "ce": values.tolist(),
        "loss": loss.item(),
        "accuracy": (logits.argmax(-1) == labels).double().mean().item(),
        "grad_degree_logits": gradient.tolist(),
    }


def _gradients(loss: Tensor, leaves: Mapping[str, Tensor]) -> dict[str, list[float]]:
    found = torch.autograd.grad(loss, list(leaves.values()), retain_graph=True, allow_unused=True)
    return {
        name: (torch.zeros_like(leaf) if gradient is None else gradient).tolist()
        for (name, leaf), gradient in zip(leaves.items(), found, strict=True)
    }


def _tensor(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
