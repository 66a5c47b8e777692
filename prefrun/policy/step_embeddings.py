"""What a model makes of the steps of answers: the means of its last hidden states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from prefrun.policy.linear_logps import at_least_float32


def step_embeddings(places: Tensor, batch: Mapping[str, Any]) -> Tensor:
    """Return [B, K, S, H] float32, the mean over each step's tokens; 0 where there is no token.

    PLACES: [U, H] last hidden states at the U distinct tokens of BATCH, which `collate` made.
    Differentiable.
    """
    trees, branches, longest = batch["token_mask"].shape
    steps: int = batch["steps"]
    slot: Tensor = batch["slot"]
    step = slot // longest * steps + batch["step_index"].flatten()[slot]
    states = at_least_float32(places)
    sums = states.new_zeros(trees * branches * steps, states.shape[-1])
    sums = sums.index_add(0, step, states.index_select(0, batch["gather"]))
    counts = step.bincount(minlength=len(sums)).clamp(min=1)
    means: Tensor = sums / counts[:, None]
    return means.view(trees, branches, steps, -1)
