"""A loss around another one, and branches that only the outer one sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from prefrun.algorithm import LossAlgorithm, LossOutput
from prefrun.base_algorithm import build_loss
from prefrun.policy.batch import BranchBatch, competition_ranks
from prefrun.records.split import DataSplit
from prefrun.records.tree import OVERALL, Branch, PreferenceTree
from prefrun.reward import Reward

ROLE = "role"
"""Objective that says what a branch is for: 0 for an answer of the data, else the method's own."""


class AroundLoss(LossAlgorithm):
    """Trains with a base loss on the data's answers, and with more of its own."""

    own_needs: frozenset[str] = frozenset()

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.base = build_loss(config.base, config.base_keys)
        self.needs = self.base.needs | self.own_needs
        self.min_branches = self.base.min_branches
        self.batch_coupled = self.base.batch_coupled
        self.objective = OVERALL

    def check(self, data: DataSplit, reward: Reward | None) -> None:
        """Let the base look at the data, and note which score says what is better."""
        self.objective = data.objective
        self.base.check(data, reward)

    def base_loss(self, batch: BranchBatch) -> LossOutput:
        """Return the base loss over the data's own answers."""
        return self.base.loss(only_branches(batch, role_of(batch) == 0))

    def make_module(self, hidden_size: int) -> torch.nn.Module | None:
        """Return the base's own."""
        self.base.module = self.base.make_module(hidden_size)
        return self.base.module

    def step_done(self, sums: Mapping[str, Tensor]) -> None:
        """Hand the base its sums."""
        self.base.step_done(sums)


def with_roles(tree: PreferenceTree, extra: Sequence[tuple[int, Branch]]) -> PreferenceTree:
    """Return TREE with EXTRA branches, each with its role, behind the data's own answers.

    An extra branch gets scores and rank of the first answer, which the base loss never sees.
    """
    first = tree.branches[0]
    own = [replace(b, scores={**b.scores, ROLE: 0.0}) for b in tree.branches]
    more = [
        replace(b, scores={**first.scores, **b.scores, ROLE: float(role)}, rank=first.rank)
        for role, b in extra
    ]
    return replace(tree, branches=(*own, *more))


def role_of(batch: BranchBatch) -> Tensor:
    """[B, K] int64 roles; 0 in the padding and where no record has roles."""
    roles = batch.objectives.get(ROLE)
    return torch.zeros_like(batch.ranks) if roles is None else roles.long() * batch.branch_mask


def only_branches(batch: BranchBatch, keep: Tensor) -> BranchBatch:
    """Return BATCH without the branches outside KEEP [B, K] bool; the kept ones stand first."""
    if bool((keep | ~batch.branch_mask).all()):
        return batch
    mask = batch.branch_mask & keep
    tokens = batch.token_mask & mask.unsqueeze(-1)
    reference = batch.reference_token_logps
    scores = batch.scores.masked_fill(~mask, 0.0)
    return replace(
        batch,
        policy_token_logps=batch.policy_token_logps.masked_fill(~tokens, 0.0),
        reference_token_logps=None if reference is None else reference.masked_fill(~tokens, 0.0),
        token_mask=tokens,
        branch_mask=mask,
        scores=scores,
        ranks=competition_ranks(scores, mask),
        branch_weights=batch.branch_weights.masked_fill(~mask, 0.0),
        step_scores=batch.step_scores.masked_fill(~mask.unsqueeze(-1), torch.nan),
        objectives={name: v.masked_fill(~mask, 0.0) for name, v in batch.objectives.items()},
    )


def best_and_worst(batch: BranchBatch) -> tuple[Tensor, Tensor, Tensor]:
    """Indices [B] of the best and the worst of the data's answers, and whether they differ [B]."""
    own = batch.branch_mask & (role_of(batch) == 0)
    best = batch.scores.masked_fill(~own, -torch.inf).argmax(-1)
    worst = batch.scores.masked_fill(~own, torch.inf).argmin(-1)
    rows = torch.arange(len(best), device=best.device)
    return best, worst, batch.scores[rows, best] > batch.scores[rows, worst]


def place_of(batch: BranchBatch, role: int) -> tuple[Tensor, Tensor]:
    """Index [B] of each tree's branch with ROLE, 0 where there is none, and whether there is."""
    found = role_of(batch) == role
    return found.int().argmax(-1), found.any(-1)
