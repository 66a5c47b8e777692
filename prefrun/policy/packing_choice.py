"""Chooses the fastest exact way to pack a model's rows: each candidate must first prove itself."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from prefrun.errors import ConfigError, first_sentence
from prefrun.policy.attention.kernel import Kernel
from prefrun.policy.attention.switch import tree_attention
from prefrun.policy.collate import collate_tokens
from prefrun.policy.head import unwrap
from prefrun.policy.logprobs import token_logprobs
from prefrun.policy.packing import PLAIN, Packing
from prefrun.policy.scoring import to_device
from prefrun.policy.tokenise import TokenisedTree
from prefrun.policy.truncation import TruncationCount

log = logging.getLogger(__name__)

TOLERANCES = {torch.float64: 1e-6, torch.float32: 1e-4, torch.float16: 0.03, torch.bfloat16: 0.1}
"""Largest mean gap of log-probs, in nats, and relative gap of gradients that rounding explains."""
MADE_UP_IDS = 48


def choose_packing(model: Any, wanted: str | None = None) -> Packing:
    """Return how MODEL's trees are packed: as WANTED, `model.attention`, else the fastest way.

    A `Kernel`'s name packs trees with it; any other name leaves one row per branch to the attention
    of transformers with that name. By itself it takes segments on a CPU, flex on CUDA, dense where
    that fails, and one row per branch, with a warning, for a model that does not honour packed
    rows. Raises ConfigError where a kernel was asked for that does not give the model's log-probs.
    """
    names = {kernel.value: kernel for kernel in Kernel}
    if wanted is not None and wanted not in names:
        return Packing(None, f"one row per branch, {wanted}")
    on_cuda = next(unwrap(model).parameters()).device.type == "cuda"
    automatic = [Kernel.flex, Kernel.dense] if on_cuda else [Kernel.segments]
    for kernel in [names[wanted]] if wanted else automatic:
        problem = problem_with(model, kernel)
        if problem is None:
            return Packing(kernel, f"packed trees, {kernel.value}")
        if wanted:
            raise ConfigError(
                f"model.attention={wanted} does not work with {type(unwrap(model)).__name__}: "
                f"{problem}\n  remedy: leave it out"
            )
        log.warning("%s cannot pack trees with %s: %s", _name(model), kernel.value, problem)
    return Packing(None, f"one row per branch: {_name(model)} does not take packed trees")


def problem_with(model: Any, kernel: Kernel) -> str | None:
    """Compare log-probs and gradients of made-up trees, packed with KERNEL and one row per branch.

    Returns what is wrong; None where they agree within rounding.
    """
    dtype = unwrap(model).dtype
    tolerance = TOLERANCES.get(dtype, TOLERANCES[torch.float32])
    was_training = model.training
    model.eval()
    try:
        packed, packed_slope = _outcome(model, Packing(kernel))
        plain, plain_slope = _outcome(model, PLAIN)
    except Exception as error:  # a model may stumble over packed rows anywhere
        return f"{type(error).__name__}: {first_sentence(error)}"
    finally:
        model.train(was_training)
    gap = (packed - plain).abs().mean().item()
    slope_gap = ((packed_slope - plain_slope).norm() / plain_slope.norm()).item()
    if gap <= tolerance and slope_gap <= tolerance:
        return None
    return f"log-probs differ by {gap:.2g} nats, gradients by {slope_gap:.2g}"


def _outcome(model: Any, packing: Packing) -> tuple[Tensor, Tensor]:
    """Return log-probs [B, K, T], and gradients of the input embeddings, summed by token id."""
    causal_lm = unwrap(model)
    batch = to_device(collate_tokens(_made_up(causal_lm), 0, packing), causal_lm.device)
    inputs: list[Tensor] = []

    def watch(module: Any, arguments: Any, output: Tensor) -> Tensor:
        inputs.append(output.detach().requires_grad_())
        return inputs[0]

    handle = causal_lm.get_input_embeddings().register_forward_hook(watch)
    try:
        with torch.enable_grad(), tree_attention(model) if packing.kernel else nullcontext():
            logps, _ = token_logprobs(model, batch)
            weights = torch.arange(logps.numel(), device=logps.device).view_as(logps).sin()
            (slope,) = torch.autograd.grad((logps * weights).sum(), inputs[0])
    finally:
        handle.remove()
    by_id = slope.new_zeros(MADE_UP_IDS, slope.shape[-1], dtype=torch.float32)
    by_id.index_add_(0, batch["input_ids"].flatten(), slope.flatten(0, 1).float())
    return logps.detach(), by_id


def _made_up(causal_lm: Any) -> list[TokenisedTree]:
    """Two trees: steps shared to different depths, and a list whose answers share a beginning."""
    vocabulary = causal_lm.config.get_text_config().vocab_size
    ids = [(7 * place * place + 3 * place) % min(MADE_UP_IDS, vocabulary) for place in range(90)]
    shared, fork = tuple(ids[10:16]), tuple(ids[16:20])
    branches = [
        [shared + fork + tuple(ids[20:27]), shared + fork + tuple(ids[30:34]), shared],
        [tuple(ids[40:52]), tuple(ids[40:43]) + tuple(ids[55:70])],
    ]
    prompts = [tuple(ids[:9]), tuple(ids[70:87])]
    return [
        TokenisedTree("", prompt, tuple(own), tuple((len(b),) for b in own), TruncationCount())
        for prompt, own in zip(prompts, branches, strict=True)
    ]


def _name(model: Any) -> str:
    return type(unwrap(model)).__name__
