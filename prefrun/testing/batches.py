"""Random batches of preference trees, for tests of losses."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import torch
from torch import Tensor

from prefrun.needs import (
    HIDDEN,
    LAST_HIDDEN,
    PROMPT_HIDDEN,
    STEP_EMBEDDINGS,
    need_called,
    tensors_of,
)
from prefrun.policy.batch import BranchBatch, competition_ranks
from prefrun.testing.reshaping import cast

STEPS = 2
"""Steps per branch, where it has as many tokens."""
WIDTH = 5
"""Of a hidden state."""
ANNOTATORS = ("anna", "", "ben")
OBJECTIVES = ("helpfulness", "honesty")
"""Objectives beside 'overall'."""


def make_batch(
    trees: int = 3,
    branches: int = 4,
    tokens: int = 7,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
    ragged: bool = True,
    needs: Collection[str] = (),
) -> BranchBatch:
    """Return a valid batch of B=TREES, K=BRANCHES, T=TOKENS; the same for the same arguments.

    Log-probs are at most 0 and finite, policy and reference differ, scores lie in 0..1 without ties
    inside a tree, ranks fit them, every branch has one or two scored steps. RAGGED: the first tree
    and its first branch are full, the others have at least two branches (as far as K goes) and one
    token. NEEDS: as `LossAlgorithm.needs`; what belongs to each token becomes an extra.
    """
    draw = torch.Generator().manual_seed(seed)
    counts = torch.full((trees,), branches)
    lengths = torch.full((trees, branches), tokens)
    if ragged:
        counts[1:] = torch.randint(min(2, branches), branches + 1, (trees - 1,), generator=draw)
        lengths = torch.randint(1, tokens + 1, lengths.shape, generator=draw)
        lengths[0, 0] = tokens
    branch_mask = torch.arange(branches) < counts[:, None]
    lengths = lengths.masked_fill(~branch_mask, 0)
    token_mask = torch.arange(tokens) < lengths[..., None]
    policy = _log_probs(token_mask, draw)
    scores = _distinct(branch_mask, draw)
    step_index, step_scores = _steps(lengths, tokens, draw)
    batch = BranchBatch(
        policy_token_logps=policy,
        token_mask=token_mask,
        branch_mask=branch_mask,
        scores=scores,
        ranks=competition_ranks(scores, branch_mask),
        weights=0.5 + _uniform((trees,), draw),
        branch_weights=(0.5 + _uniform((trees, branches), draw)) * branch_mask,
        step_index=step_index,
        step_scores=step_scores,
        reference_token_logps=_log_probs(token_mask, draw),
        objectives={"overall": scores} | {n: _distinct(branch_mask, draw) for n in OBJECTIVES},
        # log sum_v p(v)^2 of a position lies between 2 log p(y) and 0
        extras={n: policy * (2 * _uniform(policy.shape, draw)) for n in _extra_names(needs)},
        step_embeddings=_embeddings(step_scores, draw) if STEP_EMBEDDINGS in needs else None,
        last_hidden=_states(branch_mask, draw) if LAST_HIDDEN in needs else None,
        prompt_hidden=_states(torch.ones(trees).bool(), draw) if PROMPT_HIDDEN in needs else None,
        hidden=_states(token_mask, draw) if HIDDEN in needs else None,
        ids=tuple(f"tree-{number}" for number in range(trees)),
        annotators=tuple(ANNOTATORS[number % len(ANNOTATORS)] for number in range(trees)),
    )
    return cast(batch, dtype)


def with_scores(batch: BranchBatch, scores: Tensor) -> BranchBatch:
    """Return BATCH with other scores [B, K], the ranks that belong to them, and 'overall' alike."""
    scores = scores.to(batch.scores).masked_fill(~batch.branch_mask, 0.0)
    return replace(
        batch,
        scores=scores,
        ranks=competition_ranks(scores, batch.branch_mask),
        objectives={**batch.objectives, "overall": scores},
    )


def _extra_names(needs: Collection[str]) -> list[str]:
    return [name for name in tensors_of(needs) if not need_called(name).is_hidden]


def _uniform(shape: tuple[int, ...], draw: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=draw, dtype=torch.float64)


def _log_probs(token_mask: Tensor, draw: torch.Generator) -> Tensor:
    """Between -3 and -0.05 at tokens, 0 in the padding."""
    values = -0.05 - 2.95 * _uniform(token_mask.shape, draw)
    return values.masked_fill(~token_mask, 0.0)


def _distinct(mask: Tensor, draw: torch.Generator) -> Tensor:
    """Numbers in 0..1, so far apart within a tree that bfloat16 keeps them distinct."""
    trees, branches = mask.shape
    places = torch.stack([torch.randperm(branches, generator=draw) for _ in range(trees)])
    return ((places + 0.25 + 0.5 * _uniform(mask.shape, draw)) / branches).masked_fill(~mask, 0.0)


def _embeddings(step_scores: Tensor, draw: torch.Generator) -> Tensor:
    """[B, K, S, H] numbers in -1..1, 0 where there is no step."""
    values = 2 * _uniform((*step_scores.shape, WIDTH), draw) - 1
    return values.masked_fill(step_scores.isnan()[..., None], 0.0)


def _states(mask: Tensor, draw: torch.Generator) -> Tensor:
    """[..., H] numbers in -1..1, 0 in the padding."""
    values = 2 * _uniform((*mask.shape, WIDTH), draw) - 1
    return values.masked_fill(~mask[..., None], 0.0)


def _steps(lengths: Tensor, tokens: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """Step of each token [B, K, T], and step scores [B, K, S] with NaN where there is no step."""
    positions = torch.arange(tokens)
    first = (lengths + 1) // STEPS
    index = (positions >= first[..., None]) & (positions < lengths[..., None])
    scores = _uniform((*lengths.shape, STEPS), draw)
    return index.long(), scores.masked_fill(lengths[..., None] <= torch.arange(STEPS), torch.nan)
