"""What a loss may ask of a language model's last hidden states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from prefrun.needs import HIDDEN, LAST_HIDDEN, PROMPT_HIDDEN, STEP_EMBEDDINGS
from prefrun.policy.linear_logps import at_least_float32

Batch = Mapping[str, Any]
"""What `collate_tokens` makes."""


def step_embeddings(features: Tensor, batch: Batch) -> Tensor:
    """[R, L, H] -> [B, K, S, H], the mean over each step's tokens; 0 if there is no token."""
    places = features.flatten(0, 1).index_select(0, batch["place"])
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


def last_hidden(features: Tensor, batch: Batch) -> Tensor:
    """[R, L, H] -> [B, K, H], at each branch's last token; 0 in the padding."""
    counts = batch["token_mask"].sum(-1).flatten()
    branches = counts.nonzero().squeeze(-1)
    ends = (counts.cumsum(0) - 1)[branches]
    rows = batch["place"][batch["gather"][ends]]
    states = at_least_float32(features.flatten(0, 1).index_select(0, rows))
    flat = states.new_zeros(len(counts), states.shape[-1]).index_copy(0, branches, states)
    return flat.view(*batch["branch_mask"].shape, -1)


def prompt_hidden(features: Tensor, batch: Batch) -> Tensor:
    """[R, L, H] -> [B, H], at the last token before each tree's first branch that has tokens."""
    counts = batch["token_mask"].flatten(1).sum(-1)
    trees = counts.nonzero().squeeze(-1)
    starts = (counts.cumsum(0) - counts)[trees]
    rows = batch["source"][batch["gather"][starts]]
    states = at_least_float32(features.flatten(0, 1).index_select(0, rows))
    return states.new_zeros(len(counts), states.shape[-1]).index_copy(0, trees, states)


def hidden(features: Tensor, batch: Batch) -> Tensor:
    """[R, L, H] -> [B, K, T, H], at the position that predicts each token; 0 in the padding."""
    rows = batch["source"][batch["gather"]]
    states = at_least_float32(features.flatten(0, 1).index_select(0, rows))
    mask: Tensor = batch["token_mask"]
    flat = states.new_zeros(mask.numel(), states.shape[-1]).index_copy(0, batch["slot"], states)
    return flat.view(*mask.shape, -1)


HIDDEN_STATES: Mapping[str, Callable[[Tensor, Batch], Tensor]] = {
    HIDDEN: hidden,
    LAST_HIDDEN: last_hidden,
    PROMPT_HIDDEN: prompt_hidden,
    STEP_EMBEDDINGS: step_embeddings,
}
"""By need. Of the last hidden states [R, L, H] of a batch's rows; float32 at least, with
gradient."""
