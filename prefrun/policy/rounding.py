"""How far a model's log-probs stray from exact ones, because its weights are halves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psutil
import torch
from torch import Tensor

from prefrun.policy.collate import collate_tokens
from prefrun.policy.head import unwrap
from prefrun.policy.logprobs import token_logprobs
from prefrun.policy.packing import PLAIN
from prefrun.policy.packing_sample import sample_of
from prefrun.policy.scoring import inference, to_device

HALVES = {torch.bfloat16: 0.1, torch.float16: 0.03}
"""Formats of 16 bits, and the mean error of a log-prob, in nats, that is assumed if there is no
room to measure it."""
FACTOR, SLACK = 2.0, 1e-2
"""Rounding explains a mean difference up to FACTOR times the noise, and SLACK, in nats."""


def rounding_noise(model: Any, text: Sequence[int] = ()) -> float:
    """Return the mean absolute error of a log-prob of MODEL on TEXT against float32, in nats.

    0 for a model in float32 or float64, whose rounding can be neglected. TEXT are token ids; see
    `sample_trees`.
    """
    causal_lm = unwrap(model)
    if causal_lm.dtype not in HALVES:
        return 0.0
    if not fits_in(causal_lm, torch.float32):
        return HALVES[causal_lm.dtype]
    batch = to_device(collate_tokens(sample_of(causal_lm, text), 0, PLAIN), causal_lm.device)
    with inference(model):
        own = token_logprobs(model, batch)[0]
        with held_in(causal_lm, torch.float32):
            exact = token_logprobs(model, batch)[0]
    return float((own - exact)[batch["token_mask"]].abs().mean())


@contextmanager
def held_in(causal_lm: Any, wider: torch.dtype) -> Iterator[None]:
    """Hold the weights of narrower formats in WIDER for a while; both ways are exact."""
    held = [*causal_lm.parameters(), *causal_lm.buffers()]
    dtypes = [(tensor, tensor.dtype) for tensor in held if _is_narrower(tensor, wider)]
    try:
        for tensor, _ in dtypes:
            tensor.data = tensor.data.to(wider)
        yield
    finally:
        for tensor, dtype in dtypes:
            tensor.data = tensor.data.to(dtype)


def fits_in(causal_lm: Any, wider: torch.dtype) -> bool:
    """Tell whether the device has room for the weights in WIDER, and as much to compute in."""
    if causal_lm.device.type == "cuda":
        free = torch.cuda.mem_get_info(causal_lm.device)[0]
    else:
        free = psutil.virtual_memory().available
    narrow = [tensor for tensor in causal_lm.parameters() if _is_narrower(tensor, wider)]
    growth = sum(tensor.numel() * wider.itemsize - tensor.nbytes for tensor in narrow)
    return bool(2 * growth < free)


def _is_narrower(tensor: Tensor, wider: torch.dtype) -> bool:
    return tensor.dtype.is_floating_point and tensor.dtype.itemsize < wider.itemsize
