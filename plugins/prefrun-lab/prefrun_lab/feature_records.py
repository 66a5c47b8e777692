"""All records as tensors, and batches of them for a loss: each answer is one token."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from prefrun.policy.batch import BranchBatch
from prefrun.records.tree import PreferenceTree
from prefrun_lab.features import Matrix


@dataclass(frozen=True, slots=True)
class FeatureRecords:
    """N records of up to K answers with D features each, padded with 0."""

    features: Tensor
    """[N, K, D] float32."""
    mask: Tensor
    """[N, K] bool: True where the record has that answer."""
    scores: Tensor
    """[N, K] float32 labels of the objective, higher is better."""
    ranks: Tensor
    """[N, K] int64, 1 is best."""
    weights: Tensor
    """[N] float32."""
    branch_weights: Tensor
    """[N, K] float32."""
    step_scores: Tensor
    """[N, K, 1] float32 score of an answer's step; NaN where it has several, or none is known."""
    objectives: Mapping[str, Tensor]
    """[N, K] per objective that every answer has."""
    ids: tuple[str, ...]
    annotators: tuple[str, ...]

    @classmethod
    def of(
        cls, trees: Sequence[PreferenceTree], features: Sequence[Matrix], objective: str
    ) -> FeatureRecords:
        """Join TREES with their FEATURES, [K, D] each.

        Raises DataError where an answer has neither a score of OBJECTIVE nor a rank.
        """
        most = max(len(tree.branches) for tree in trees)

        def padded(rows: Sequence[Sequence[float]], dtype: torch.dtype) -> Tensor:
            return torch.tensor([[*row, *[0] * (most - len(row))] for row in rows], dtype=dtype)

        matrices = np.zeros((len(trees), most, features[0].shape[1]), np.float32)
        for place, rows in enumerate(features):
            matrices[place, : len(rows)] = rows
        branches = [tree.branches for tree in trees]
        shared = set.intersection(*(set(b.scores) for group in branches for b in group))
        return cls(
            features=torch.from_numpy(matrices),
            mask=padded([[1] * len(group) for group in branches], torch.bool),
            scores=padded([tree.labels(objective) for tree in trees], torch.float32),
            ranks=padded([tree.ranks(objective) for tree in trees], torch.int64),
            weights=torch.tensor([tree.weight for tree in trees], dtype=torch.float32),
            branch_weights=padded([[b.weight for b in group] for group in branches], torch.float32),
            step_scores=padded([_step_scores(tree) for tree in trees], torch.float32)[..., None],
            objectives={
                name: padded([[b.scores[name] for b in group] for group in branches], torch.float32)
                for name in sorted(shared)
            },
            ids=tuple(tree.id for tree in trees),
            annotators=tuple(tree.annotator or "" for tree in trees),
        )

    def batch(self, rows: Sequence[int], logps: Tensor, embeddings: Tensor | None) -> BranchBatch:
        """Return the records ROWS as a loss sees them.

        LOGPS: [B, K] the scorer's; the reference's are 0. EMBEDDINGS: [B, K, H] of the answers,
        where the loss needs them.
        """
        where = torch.as_tensor(rows)
        mask = self.mask[where].unsqueeze(-1)
        logps = logps.unsqueeze(-1).masked_fill(~mask, 0.0)
        if embeddings is not None:
            embeddings = embeddings.unsqueeze(-2).masked_fill(~mask.unsqueeze(-1), 0.0)
        return BranchBatch(
            policy_token_logps=logps,
            token_mask=mask,
            branch_mask=mask.squeeze(-1),
            scores=self.scores[where],
            ranks=self.ranks[where],
            weights=self.weights[where],
            branch_weights=self.branch_weights[where],
            step_index=torch.zeros_like(mask, dtype=torch.int64),
            step_scores=self.step_scores[where].masked_fill(~mask, math.nan),
            reference_token_logps=torch.zeros_like(logps),
            objectives={name: values[where] for name, values in self.objectives.items()},
            step_embeddings=embeddings,
            ids=tuple(self.ids[row] for row in rows),
            annotators=tuple(self.annotators[row] for row in rows),
        )


def _step_scores(tree: PreferenceTree) -> list[float]:
    scores = [branch.steps[0].score if len(branch.steps) == 1 else None for branch in tree.branches]
    return [math.nan if score is None else score for score in scores]
