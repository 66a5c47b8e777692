"""Puts tokenised trees and what is known of them into a batch of tensors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from prefrun.policy.batch import BranchBatch
from prefrun.policy.packing import PLAIN, Packing
from prefrun.policy.policy import BranchLogps
from prefrun.policy.rows import make_rows
from prefrun.policy.tokenise import TokenisedTree, step_of_token
from prefrun.records.tree import PreferenceTree

STEP_EMBEDDINGS = "step_embeddings"
OBJECTIVE = "objective/"
"""Prefix of the keys that hold one objective's scores."""


@dataclass(frozen=True, slots=True)
class Example:
    """A tokenised tree with all that its tree says about its branches."""

    tokens: TokenisedTree
    scores: tuple[float, ...]
    ranks: tuple[int, ...]
    weight: float
    branch_weights: tuple[float, ...]
    step_scores: tuple[tuple[float, ...], ...]
    """Per branch and step; NaN where a step was not judged."""
    objectives: Mapping[str, tuple[float, ...]]
    """Per objective that every branch has, one score per branch."""
    reference: tuple[Tensor, ...] | None
    """Per branch, [T_k] log-probs of its tokens under the reference."""
    annotator: str = ""
    """Who judged the tree; '' where that is unknown."""

    @classmethod
    def of(
        cls,
        tree: PreferenceTree,
        tokens: TokenisedTree,
        objective: str,
        reference: BranchLogps | None = None,
    ) -> Example:
        """Take scores and ranks of OBJECTIVE. Raises DataError where a branch has neither."""
        names = [set(branch.scores) for branch in tree.branches]
        shared = sorted(set.intersection(*names)) if names else []
        return cls(
            tokens=tokens,
            scores=tuple(tree.labels(objective)),
            ranks=tuple(tree.ranks(objective)),
            weight=tree.weight,
            branch_weights=tuple(branch.weight for branch in tree.branches),
            step_scores=tuple(
                tuple(math.nan if step.score is None else step.score for step in branch.steps)
                for branch in tree.branches
            ),
            objectives={
                name: tuple(float(branch.scores[name]) for branch in tree.branches)
                for name in shared
            },
            reference=reference.token_logps if reference else None,
            annotator=tree.annotator or "",
        )


def collate(
    examples: Sequence[Example], pad_token_id: int, packing: Packing = PLAIN
) -> dict[str, Any]:
    """Return B examples as a flat dict of tensors, plus 'ids' and 'annotators', tuples of str.

    It passes `transformers.Trainer` and accelerate unharmed. Read it with `token_logprobs` and
    `branch_batch`. Reference and objectives are in it only where every example has them.
    """
    batch = collate_tokens([example.tokens for example in examples], pad_token_id, packing)
    trees, branches, _ = batch["token_mask"].shape
    shared = set.intersection(*(set(example.objectives) for example in examples))

    def padded(rows: Sequence[Sequence[float]], dtype: torch.dtype) -> Tensor:
        return torch.tensor([[*row, *[0] * (branches - len(row))] for row in rows], dtype=dtype)

    step_scores = torch.full((trees, branches, batch["steps"]), math.nan)
    for b, example in enumerate(examples):
        for k, scores in enumerate(example.step_scores):
            step_scores[b, k, : len(scores)] = torch.tensor(scores)
    batch |= {
        "scores": padded([example.scores for example in examples], torch.float32),
        "ranks": padded([example.ranks for example in examples], torch.int64),
        "weights": torch.tensor([example.weight for example in examples], dtype=torch.float32),
        "branch_weights": padded([example.branch_weights for example in examples], torch.float32),
        "step_scores": step_scores,
        "annotators": tuple(example.annotator for example in examples),
    }
    for name in sorted(shared):
        rows = [example.objectives[name] for example in examples]
        batch[OBJECTIVE + name] = padded(rows, torch.float32)
    references = [example.reference for example in examples]
    if None not in references:
        values = [logps for reference in references for logps in reference or ()]
        flat = torch.cat([*values, torch.zeros(0)])
        batch["reference_token_logps"] = lay_out(flat, batch["slot"], batch["token_mask"])
    return batch


def collate_tokens(
    trees: Sequence[TokenisedTree], pad_token_id: int, packing: Packing = PLAIN
) -> dict[str, Any]:
    """Return the part of a batch that a model needs, without labels: the rows that PACKING makes.

    'source' [U] is where, in the flattened rows, each of U distinct tokens is predicted, 'place'
    [U] where it stands; 'target' [U] its id; 'gather' [N] which of the U each branch's tokens are;
    'slot' [N] their places in a flattened [B, K, T].
    """
    most = max((len(tree.branches) for tree in trees), default=0) or 1
    longest = max((len(ids) for tree in trees for ids in tree.branches), default=0) or 1
    step_index = np.zeros((len(trees) * most, longest), dtype=np.int64)
    token_mask = np.zeros((len(trees) * most, longest), dtype=np.bool_)
    branch_mask = np.zeros((len(trees), most), dtype=np.bool_)
    for b, tree in enumerate(trees):
        branch_mask[b, : len(tree.branches)] = True
        for k, (ids, ends) in enumerate(zip(tree.branches, tree.step_ends, strict=True)):
            step_index[b * most + k, : len(ids)] = step_of_token(ends)
            token_mask[b * most + k, : len(ids)] = True
    shape = (len(trees), most, longest)
    return make_rows(trees, pad_token_id, packing) | {
        "slot": torch.from_numpy(np.flatnonzero(token_mask)),
        "token_mask": torch.from_numpy(token_mask).view(shape),
        "branch_mask": torch.from_numpy(branch_mask),
        "step_index": torch.from_numpy(step_index).view(shape),
        "steps": max((len(ends) for tree in trees for ends in tree.step_ends), default=0) or 1,
        "ids": tuple(tree.id for tree in trees),
    }


def lay_out(values: Tensor, slot: Tensor, token_mask: Tensor) -> Tensor:
    """Put one value per scored token [N] into [B, K, T], 0 elsewhere. Differentiable."""
    flat = torch.zeros(token_mask.numel(), dtype=values.dtype, device=values.device)
    return flat.index_copy(0, slot, values).view(token_mask.shape)


def branch_batch(
    batch: Mapping[str, Any], token_logps: Tensor, extras: Mapping[str, Tensor]
) -> BranchBatch:
    """Join a collated batch with the policy's log-probs [B, K, T] and extras, for a loss."""
    per_token = {name: values for name, values in extras.items() if name != STEP_EMBEDDINGS}
    return BranchBatch(
        policy_token_logps=token_logps,
        token_mask=batch["token_mask"],
        branch_mask=batch["branch_mask"],
        scores=batch["scores"],
        ranks=batch["ranks"],
        weights=batch["weights"],
        branch_weights=batch["branch_weights"],
        step_index=batch["step_index"],
        step_scores=batch["step_scores"],
        reference_token_logps=batch.get("reference_token_logps"),
        objectives={
            key.removeprefix(OBJECTIVE): value
            for key, value in batch.items()
            if key.startswith(OBJECTIVE)
        },
        extras=per_token,
        step_embeddings=extras.get(STEP_EMBEDDINGS),
        ids=batch["ids"],
        annotators=batch["annotators"],
    )
