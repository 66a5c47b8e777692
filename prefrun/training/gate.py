"""The step-0 gate: before training, policy and reference must be the same model."""

from __future__ import annotations

import torch
from torch import Tensor

from prefrun.errors import PrefrunError

TOLERANCE = {torch.float64: 1e-8, torch.float32: 1e-3, torch.bfloat16: 5e-1, torch.float16: 1e-1}
"""Largest |log pi - log pi_ref| of one token that rounding explains, by the model's dtype."""


def check_step_zero(policy: Tensor, reference: Tensor, dtype: torch.dtype) -> float:
    """Return the largest per-token |log-ratio| of [N] log-probs at step 0.

    Raises PrefrunError where rounding cannot explain it: implied rewards must start at 0.
    """
    gap = (policy - reference).abs().max().item() if len(policy) else 0.0
    limit = TOLERANCE.get(dtype, TOLERANCE[torch.float32])
    if not gap <= limit:
        raise PrefrunError(
            f"step-0 gate: policy and reference differ by {gap:.3g} nats on a token before any "
            f"training (tolerance {limit:g} in {dtype}); implied rewards would not start at 0.\n"
            "  remedy: the reference must be the start model with the same adapter, dtype and "
            "attention, with dropout off; `cache.enabled=false` rules out a stale cache"
        )
    return gap
