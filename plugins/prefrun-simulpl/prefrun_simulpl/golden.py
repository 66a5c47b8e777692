"""Computes the numbers of a golden-vector case of `simulpl.json` from its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from prefrun_simulpl.confidence import confidence_loss
from prefrun_simulpl.expected_delay import expected_delays, expected_proportion
from prefrun_simulpl.latency import METRICS, corpus_mean
from prefrun_simulpl.schedule import confidence_delays, wait_k_delays
from prefrun_simulpl.simuldpo import simuldpo_losses, simuldpo_rewards

Case = Mapping[str, Any]


def compute(inputs: Case, hyper: Case, name: str) -> dict[str, Any]:
    """Every expected key of one case, in float64. The case's kind shows in its inputs."""
    del name
    for mark, of_kind in KINDS.items():
        if mark in inputs:
            return of_kind(inputs, hyper)
    raise ValueError(f"no kind of case has the inputs {sorted(inputs)}")


def _latency(inputs: Case, hyper: Case) -> dict[str, Any]:
    reference = inputs["ref_len"] if hyper["use_ref_len"] else None
    delays = inputs["delays"]
    if not delays:
        return dict.fromkeys(METRICS)
    whole = all(float(delay).is_integer() and delay < 100 for delay in delays)
    names = [name for name in METRICS if whole or name != "ATD"]
    return {name: METRICS[name](delays, inputs["src_len"], reference) for name in names}


def _corpus(inputs: Case, hyper: Case) -> dict[str, Any]:
    rows = [_latency(row, hyper) for row in inputs["corpus"]]
    return {name: corpus_mean([row.get(name) for row in rows]) for name in METRICS}


def _wait_k(inputs: Case, hyper: Case) -> dict[str, Any]:
    return {"delays": wait_k_delays(inputs["k"], inputs["src_len"], inputs["tgt_len"])}


def _confidence(inputs: Case, hyper: Case) -> dict[str, Any]:
    table, source = inputs["confidence"], inputs["src_len"]
    return {"delays": confidence_delays(table, source, hyper["threshold"], hyper["min_src"])}


def _supervised(inputs: Case, hyper: Case) -> dict[str, Any]:
    prefix, full, confidence = (
        _leaf(inputs[key]) for key in ("prefix_logits", "full_logits", "conf_logits")
    )
    targets = torch.tensor(inputs["targets"])
    loss = confidence_loss(
        prefix,
        full,
        confidence,
        targets,
        targets != inputs["pad_id"],
        hyper["label_smoothing"],
        mask_confidence=hyper["mask_confidence_padding"],
    )
    total = loss.total(hyper["confidence_weight"])
    gradients = torch.autograd.grad(total, (confidence, prefix, full))
    names = ("grad_conf_logits", "grad_prefix_logits", "grad_full_logits")
    return {
        "full_loss": loss.full.item(),
        "stream_loss": loss.stream.item(),
        "confidence_loss": loss.confidence.item(),
        "loss": total.item(),
        **{key: value.tolist() for key, value in zip(names, gradients, strict=True)},
    }


def _expected_delay(inputs: Case, hyper: Case) -> dict[str, Any]:
    write = _leaf(inputs["write_prob"])
    proportion = expected_proportion(write)
    # one source word: writing is certain, and no probability is asked for
    (gradient,) = torch.autograd.grad(proportion + 0.0 * write.sum(), write)
    return {
        "expected_delays": expected_delays(write).tolist(),
        "expected_AP": proportion.item(),
        "grad_AP_wrt_write_prob": gradient.tolist(),
    }


def _simuldpo(inputs: Case, hyper: Case) -> dict[str, Any]:
    tokens, actions = _leaf(inputs["policy_token_logps"]), _leaf(inputs["policy_action_logps"])
    rewards = simuldpo_rewards(
        tokens,
        _leaf(inputs["ref_token_logps"]),
        actions,
        _leaf(inputs["ref_action_logps"]),
        torch.tensor(inputs["mask"]),
        beta=hyper["beta"],
        eta=hyper["eta"],
    )
    losses = simuldpo_losses(rewards, _leaf(inputs["latency"]), alpha=hyper["alpha"])
    used = losses.mean() + 0.0 * actions.sum()  # eta = 0 leaves the actions out
    gradients = torch.autograd.grad(used, (tokens, actions))
    return {
        "rewards": rewards.tolist(),
        "loss_per_pair": losses.tolist(),
        "loss": losses.mean().item(),
        "grad_policy_token_logps": gradients[0].tolist(),
        "grad_policy_action_logps": gradients[1].tolist(),
    }


def _leaf(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


KINDS = {
    "corpus": _corpus,
    "delays": _latency,
    "k": _wait_k,
    "confidence": _confidence,
    "prefix_logits": _supervised,
    "write_prob": _expected_delay,
    "policy_token_logps": _simuldpo,
}
"""By an input that only this kind has."""
