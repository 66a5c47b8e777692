"""Puts tokenised trees and what is known of them into a batch of tensors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from prefrun.needs import KNOWN
from prefrun.policy.batch import BranchBatch
from prefrun.policy.packing import PLAIN, Packing
from prefrun.policy.policy import BranchLogps
from prefrun.policy.rows import make_rows
from prefrun.policy.tokenise import TokenisedTree, step_of_token
from prefrun.records.tree import PreferenceTree

OBJECTIVE, PER_BRANCH, PER_TOKEN = "objective/", "branch/", "token/"
"""Prefixes of the keys that hold one objective's scores, and the records' own numbers."""


@dataclass(frozen=True, slots=True)
class Example:
    """A tree as a model reads it, with all that the tree says about its branches."""

    encoded: Any
    """See `prefrun.models.kind.Encoded`; of a language model a TokenisedTree."""
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
    branch_extras: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Per name that every branch has in `Branch.extras`, one number per branch."""
    token_extras: Mapping[str, tuple[tuple[float, ...], ...]] = field(default_factory=dict)
    """The same of `Branch.token_extras`: per branch, one number per token."""

    @classmethod
    def of(
        cls,
        tree: PreferenceTree,
        encoded: Any,
        objective: str,
        reference: BranchLogps | None = None,
    ) -> Example:
        """Take scores and ranks of OBJECTIVE. Raises DataError where a branch has neither."""
        names = [set(branch.scores) for branch in tree.branches]
        shared = sorted(set.intersection(*names)) if names else []
        return cls(
            encoded=encoded,
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
            branch_extras=_shared([branch.extras for branch in tree.branches]),
            token_extras=_shared([branch.token_extras for branch in tree.branches]),
        )


def examples_of(
    trees: Iterable[PreferenceTree],
    encoded: Iterable[Any],
    objective: str,
    references: Iterable[BranchLogps | None],
) -> list[Example]:
    """Return an `Example.of` each of TREES, which became ENCODED."""
    rows = zip(trees, encoded, references, strict=True)
    return [Example.of(tree, each, objective, known) for tree, each, known in rows]


def _shared(rows: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Any, ...]]:
    """Return, by the names that all ROWS have, their values."""
    if not rows or not any(rows):
        return {}
    names = set.intersection(*(set(row) for row in rows))
    return {name: tuple(row[name] for row in rows) for name in sorted(names)}


def collate(
    examples: Sequence[Example], pad_token_id: int, packing: Packing = PLAIN
) -> dict[str, Any]:
    """Return B tokenised examples with their labels: see `collate_tokens` and `with_labels`."""
    trees = [example.encoded for example in examples]
    return with_labels(collate_tokens(trees, pad_token_id, packing), examples)


def with_labels(batch: dict[str, Any], examples: Sequence[Example]) -> dict[str, Any]:
    """Add the labels of B EXAMPLES to BATCH, which has their `layout`, and return it.

    It is a flat dict of tensors, plus 'ids' and 'annotators', tuples of str, and passes
    `transformers.Trainer` and accelerate unharmed. Read it with `branch_batch`. Reference and
    objectives are in it only if every example has them.
    """
    trees, branches, _ = batch["token_mask"].shape
    shared = set.intersection(*(set(example.objectives) for example in examples))

    def padded(rows: Sequence[Sequence[float]], dtype: torch.dtype) -> Tensor:
        return torch.tensor([[*row, *[0] * (branches - len(row))] for row in rows], dtype=dtype)

    step_scores = np.full((trees, branches, batch["steps"]), math.nan, np.float32)
    for b, example in enumerate(examples):
        for k, scores in enumerate(example.step_scores):
            if len(scores) <= batch["steps"]:  # else the model knows no steps
                step_scores[b, k, : len(scores)] = scores
    batch |= {
        "scores": padded([example.scores for example in examples], torch.float32),
        "ranks": padded([example.ranks for example in examples], torch.int64),
        "weights": torch.tensor([example.weight for example in examples], dtype=torch.float32),
        "branch_weights": padded([example.branch_weights for example in examples], torch.float32),
        "step_scores": torch.from_numpy(step_scores),
        "annotators": tuple(example.annotator for example in examples),
    }
    for name in sorted(shared):
        rows = [example.objectives[name] for example in examples]
        batch[OBJECTIVE + name] = padded(rows, torch.float32)
    for name, rows in _shared_rows([example.branch_extras for example in examples]):
        batch[PER_BRANCH + name] = padded(rows, torch.float32)
    for name, rows in _shared_rows([example.token_extras for example in examples]):
        flat = torch.tensor(_fitting(examples, rows), dtype=torch.float32)
        batch[PER_TOKEN + name] = lay_out(flat, batch["slot"], batch["token_mask"])
    references = [example.reference for example in examples]
    if None not in references:
        values = [logps for reference in references for logps in reference or ()]
        flat = torch.cat([*values, torch.zeros(0)])
        batch["reference_token_logps"] = lay_out(flat, batch["slot"], batch["token_mask"])
    return batch


def _shared_rows(
    extras: Sequence[Mapping[str, tuple[Any, ...]]],
) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
    """Yield the names that all examples have, with each one's values."""
    for name, rows in _shared(extras).items():
        yield name, list(rows)


def _fitting(examples: Sequence[Example], rows: Sequence[tuple[Any, ...]]) -> list[float]:
    """Return one number per token that was not truncated, over all branches."""
    return [
        number
        for example, branches in zip(examples, rows, strict=True)
        for ends, numbers in zip(example.encoded.step_ends, branches, strict=True)
        for number in numbers[: ends[-1] if ends else 0]
    ]


def collate_tokens(
    trees: Sequence[TokenisedTree], pad_token_id: int, packing: Packing = PLAIN
) -> dict[str, Any]:
    """Return the part of a batch that a model needs, without labels: the rows that PACKING makes.

    'source' [U] is where, in the flattened rows, each of U distinct tokens is predicted, 'place'
    [U] where it stands; 'target' [U] its id; 'gather' [N] which of the U each branch's tokens are.
    The rest is `layout`.
    """
    return make_rows(trees, pad_token_id, packing) | layout(trees)


def layout(trees: Sequence[Any]) -> dict[str, Any]:
    """Return which numbers of a padded [B, K, T] the encoded TREES have, and whose they are.

    'slot' [N] is where, in a flattened [B, K, T], the N real ones stand.
    """
    most = max((len(tree.step_ends) for tree in trees), default=0) or 1
    lengths = [[ends[-1] if ends else 0 for ends in tree.step_ends] for tree in trees]
    longest = max((length for row in lengths for length in row), default=0) or 1
    step_index = np.zeros((len(trees) * most, longest), dtype=np.int64)
    token_mask = np.zeros((len(trees) * most, longest), dtype=np.bool_)
    branch_mask = np.zeros((len(trees), most), dtype=np.bool_)
    for b, (tree, row) in enumerate(zip(trees, lengths, strict=True)):
        branch_mask[b, : len(row)] = True
        for k, (length, ends) in enumerate(zip(row, tree.step_ends, strict=True)):
            if len(ends) > 1:  # else all are of step 0
                step_index[b * most + k, :length] = step_of_token(ends)
            token_mask[b * most + k, :length] = True
    shape = (len(trees), most, longest)
    return {
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
    hidden = {name: values for name, values in extras.items() if _is_hidden(name)}
    per_token = {name: values for name, values in extras.items() if name not in hidden}
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
        objectives=_prefixed(batch, OBJECTIVE),
        branch_extras=_prefixed(batch, PER_BRANCH),
        extras={**_prefixed(batch, PER_TOKEN), **per_token},
        **hidden,
        ids=batch["ids"],
        annotators=batch["annotators"],
    )


def _prefixed(batch: Mapping[str, Any], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): batch[key] for key in batch if key.startswith(prefix)}


def _is_hidden(name: str) -> bool:
    return name in KNOWN and KNOWN[name].is_hidden
