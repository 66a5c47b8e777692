"""Compares packed rows with one row per branch: log-probs and gradients, on the data's own text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from prefrun.errors import first_sentence
from prefrun.policy.attention.kernel import Kernel
from prefrun.policy.attention.switch import tree_attention
from prefrun.policy.collate import collate_tokens
from prefrun.policy.head import unwrap
from prefrun.policy.logprobs import token_logprobs
from prefrun.policy.packing import PLAIN, Packing
from prefrun.policy.packing_sample import sample_of
from prefrun.policy.rounding import FACTOR, HALVES, SLACK, fits_in, held_in
from prefrun.policy.scoring import to_device
from prefrun.policy.tokenise import TokenisedTree

TOLERANCES = {torch.float64: 1e-6, torch.float32: 1e-4, **HALVES}
"""Largest mean difference of log-probs, in nats, and relative one of gradients, from rounding.
Those of the halves count only if there is no room for float32."""
DOUBTFUL = 1e-2
"""Larger differences are not looked at again in float64."""
WINDOWS = ("sliding_window", "attention_chunk_size")
"""Keys of a model's configuration that limit how far back a token sees."""
SMALL_WINDOW = 24
"""Tokens: less than the sample's paths, so that a wrong window shows."""


def problem_with(model: Any, kernel: Kernel, text: Sequence[int] = ()) -> str | None:
    """Compare MODEL's log-probs and gradients packed with KERNEL and with one row per branch.

    The rows are of TEXT, token ids such as the data's, see `sample_trees`; a model with a window is
    also looked at with a small one. Rounding is told from faults by holding the weights in float32,
    if there is room: both must agree there, in case of doubt in float64. In bfloat16 or float16
    packed rows must then stray no further from it than rows per branch do, within a factor. Returns
    what is wrong; None if nothing is.
    """
    was_training = model.training
    model.eval()
    try:
        return _problem(model, kernel, text)
    except Exception as error:  # a model may stumble over packed rows anywhere
        return f"{type(error).__name__}: {first_sentence(error)}"
    finally:
        model.train(was_training)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a model makes of the sample."""

    logps: Tensor
    """[N] of the scored tokens."""
    gradient: Tensor
    """[T, H] of a made-up loss by the embedding of each of the sample's T ids."""

    def differs_from(self, other: Outcome) -> tuple[float, float]:
        """Return the mean difference of log-probs in nats, and the relative one of gradients."""
        logps = (self.logps - other.logps).abs().mean().item()
        gradients = (self.gradient - other.gradient).norm() / other.gradient.norm()
        return logps, gradients.item()


def _problem(model: Any, kernel: Kernel, text: Sequence[int]) -> str | None:
    causal_lm = unwrap(model)
    trees, packed = sample_of(causal_lm, text), Packing(kernel)
    exactly = causal_lm.dtype in HALVES and fits_in(causal_lm, torch.float32)
    for window in _windows(causal_lm.config.get_text_config()):
        with small_window(causal_lm, window):
            with held_in(causal_lm, torch.float32) if exactly else nullcontext():
                exact = _outcome(model, trees, PLAIN)
                found = _outcome(model, trees, packed).differs_from(exact)
                limit = TOLERANCES[causal_lm.dtype]
            if not max(found) <= limit and not _agree_in_float64(model, trees, packed, found):
                return _difference(found, window)
            if exactly and window is None:
                noise = _outcome(model, trees, PLAIN).differs_from(exact)
                found = _outcome(model, trees, packed).differs_from(exact)
                if not all(f <= FACTOR * n + SLACK for f, n in zip(found, noise, strict=True)):
                    return _difference(found, window, noise)
    return None


def _agree_in_float64(
    model: Any, trees: Sequence[TokenisedTree], packed: Packing, found: tuple[float, float]
) -> bool:
    """Tell whether the differences FOUND are rounding, which a deep model can make larger."""
    causal_lm = unwrap(model)
    if not max(found) <= DOUBTFUL or not fits_in(causal_lm, torch.float64):
        return False
    with held_in(causal_lm, torch.float64):
        found = _outcome(model, trees, packed).differs_from(_outcome(model, trees, PLAIN))
    return max(found) <= TOLERANCES[torch.float64]


def _difference(
    found: tuple[float, float], window: int | None, noise: tuple[float, float] | None = None
) -> str:
    text = f"log-probs differ by {found[0]:.2g} nats, gradients by {found[1]:.2g}"
    if noise is not None:
        text += f" from float32, one row per branch only by {noise[0]:.2g} and {noise[1]:.2g}"
    return text if window is None else f"with a window of {window} tokens {text}"


def _windows(config: Any) -> list[int | None]:
    """The model's own window, and a small one if it has any."""
    return [None, SMALL_WINDOW] if any(getattr(config, key, None) for key in WINDOWS) else [None]


@contextmanager
def small_window(causal_lm: Any, size: int | None) -> Iterator[None]:
    """Let layers with a window see SIZE tokens back; None changes nothing."""
    changed = []
    for owner in [causal_lm.config.get_text_config(), *causal_lm.modules()]:
        for key in WINDOWS:
            if size is not None and isinstance(value := vars(owner).get(key), int):
                changed.append((owner, key, value))
                setattr(owner, key, size)
    try:
        yield
    finally:
        for owner, key, value in changed:
            setattr(owner, key, value)


def _outcome(model: Any, trees: Sequence[TokenisedTree], packing: Packing) -> Outcome:
    causal_lm = unwrap(model)
    batch = to_device(collate_tokens(trees, 0, packing), causal_lm.device)
    inputs: list[Tensor] = []

    def watch(module: Any, arguments: Any, output: Tensor) -> Tensor:
        inputs.append(output.detach().requires_grad_())
        return inputs[0]

    handle = causal_lm.get_input_embeddings().register_forward_hook(watch)
    try:
        with torch.enable_grad(), tree_attention(model) if packing.kernel else nullcontext():
            logps, _ = token_logprobs(model, batch)
            weights = torch.arange(logps.numel(), device=logps.device).view_as(logps).sin()
            (gradient,) = torch.autograd.grad((logps * weights).sum(), inputs[0])
    finally:
        handle.remove()
    known, places = batch["input_ids"].flatten().unique(return_inverse=True)
    by_id = gradient.new_zeros(len(known), gradient.shape[-1], dtype=torch.float32)
    by_id.index_add_(0, places, gradient.flatten(0, 1).float())
    return Outcome(logps.detach()[batch["token_mask"]], by_id[known != 0])
