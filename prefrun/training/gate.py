"""The step-0 gate: before training, policy and reference must be the same model."""

from __future__ import annotations

import torch
from torch import Tensor

from prefrun.errors import PrefrunError
from prefrun.policy.rounding import FACTOR, SLACK

TOLERANCE = {torch.float64: 1e-8, torch.float32: 1e-3, torch.bfloat16: 5e-1, torch.float16: 1e-1}
"""Largest |log pi - log pi_ref| of one token that rounding explains, by the model's dtype."""
PEAK = 20.0
"""How many times the mean error of a log-prob one token's may be."""


def check_step_zero(
    policy: Tensor, reference: Tensor, dtype: torch.dtype, noise: float = 0.0
) -> float:
    """Return the largest per-token |log-ratio| of [N] log-probs at step 0.

    NOISE is what `rounding_noise` measured of the model, in nats: other batches round otherwise.
    Raises PrefrunError if rounding cannot explain a token, or the mean over all tokens: implied
    rewards must start at 0.
    """
    if not len(policy):
        return 0.0
    differences = (policy - reference).abs()
    largest, mean = differences.max().item(), differences.mean().item()
    limit = max(TOLERANCE.get(dtype, TOLERANCE[torch.float32]), PEAK * noise)
    mean_limit = FACTOR * noise + SLACK if noise else limit
    if not (largest <= limit and mean <= mean_limit):
        raise PrefrunError(
            f"step-0 gate: policy and reference differ by {largest:.3g} nats on a token and by "
            f"{mean:.3g} on average before any training (tolerance {limit:.3g} and {mean_limit:.3g}"
            f" in {dtype}); implied rewards would not start at 0.\n"
            "  remedy: the reference must be the start model with the same adapter, dtype and "
            "attention, with dropout off; `cache.enabled=false` rules out a stale cache"
        )
    return largest
