"""Pairs of a batch's answers, as a batch of their own with the preferred answer first."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from prefrun.policy.batch import BranchBatch
from prefrun_robust.lcpo.config import PairChoice

BY_BRANCH = (
    "policy_token_logps",
    "token_mask",
    "branch_mask",
    "branch_weights",
    "step_index",
    "step_scores",
    "reference_token_logps",
    "step_embeddings",
)
"""Fields of a batch whose axes begin with tree and branch, labels left aside."""


def choose_pairs(batch: BranchBatch, choice: PairChoice) -> tuple[Tensor, Tensor]:
    """Return trees [P] and branches [P, 2], preferred one first. Tied answers make no pair.

    Of several best (or worst) answers the first counts.
    """
    scores, mask = batch.scores, batch.branch_mask
    better = (scores.unsqueeze(-1) > scores.unsqueeze(-2)) & mask.unsqueeze(-1) & mask.unsqueeze(-2)
    if choice is PairChoice.best_vs_worst:
        best = scores.masked_fill(~mask, -torch.inf).argmax(-1, keepdim=True)
        worst = scores.masked_fill(~mask, torch.inf).argmin(-1, keepdim=True)
        places = torch.arange(scores.shape[-1], device=scores.device)
        better &= (places == best).unsqueeze(-1) & (places == worst).unsqueeze(-2)
    trees, chosen, rejected = better.nonzero(as_tuple=True)
    return trees, torch.stack([chosen, rejected], -1)


def pair_batch(batch: BranchBatch, trees: Tensor, branches: Tensor) -> BranchBatch:
    """Return P trees of two answers each, labelled 1 and 0.

    trees: [P], branches: [P, 2] as `choose_pairs` gives them.
    """
    taken = {
        name: value[trees.unsqueeze(-1), branches]
        for name in BY_BRANCH
        if (value := getattr(batch, name)) is not None
    }
    extras = {name: value[trees.unsqueeze(-1), branches] for name, value in batch.extras.items()}
    order = trees.tolist()
    pairs = replace(
        batch,
        **taken,
        extras=extras,
        weights=batch.weights[trees],
        ids=tuple(batch.ids[tree] for tree in order),
        annotators=tuple(batch.annotators[tree] for tree in order),
    )
    return with_winner(pairs, 0)


def with_winner(pairs: BranchBatch, winner: int) -> BranchBatch:
    """Label the answer in column WINNER, 0 or 1, of every pair as the better one."""
    scores = torch.zeros_like(pairs.policy_logps.detach())
    scores[:, winner] = 1.0
    ranks = (2 - scores).long()
    return replace(pairs, scores=scores, ranks=ranks, objectives={"overall": scores})
