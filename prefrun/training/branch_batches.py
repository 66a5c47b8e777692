"""Branch batches with gradient for algorithms that own their run."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import torch

from prefrun.models.kind import Reference
from prefrun.needs import REFERENCE, check_given
from prefrun.policy.batch import BranchBatch
from prefrun.policy.collate import branch_batch, examples_of, layout, with_labels
from prefrun.policy.scoring import to_device
from prefrun.records.tree import PreferenceTree
from prefrun.training.session import Session


def token_logps(
    session: Session, trees: Sequence[PreferenceTree], needs: Collection[str]
) -> BranchBatch:
    """See `Services.token_logps`."""
    kind = session.ready
    check_given(needs, kind.gives, session.run.algo, session.model_name)
    encoded = session.encode(trees, counts=False)
    if torch.is_grad_enabled():
        session.tokens += sum(map(kind.size, encoded))
    objective = session.data.objective
    wants_reference = REFERENCE in needs
    references = session.frozen_numbers(encoded) if wants_reference else [None] * len(trees)
    examples = examples_of(map(_labelled, trees), encoded, objective, references)
    batch = to_device(with_labels(kind.collate(encoded) | layout(encoded), examples), kind.device)
    generator = torch.Generator().manual_seed(session.run.seed * 1_000_003 + session.steps)
    batch |= to_device(dict(kind.draw(batch, generator)), kind.device)
    if wants_reference and kind.reference is Reference.in_step:
        with torch.no_grad():
            batch["reference_token_logps"] = kind.reference_forward(batch)
    return branch_batch(batch, *kind.forward(kind.module, batch, needs))


def _labelled(tree: PreferenceTree) -> PreferenceTree:
    """Return TREE, its branches of rank 1 if nobody has judged them."""
    if any(branch.scores or branch.rank for branch in tree.branches):
        return tree
    return replace(tree, branches=tuple(replace(branch, rank=1) for branch in tree.branches))


def in_budget(session: Session, trees: Sequence[PreferenceTree]) -> list[list[PreferenceTree]]:
    """See `Services.in_budget`."""
    kind, budget = session.ready, session.config.trainer.micro_batch_tokens
    parts: list[list[PreferenceTree]] = []
    total = 0
    for tree, encoded in zip(trees, kind.encode(trees), strict=True):
        size = kind.size(encoded)
        if not parts or total + size > budget:
            parts.append([])
            total = 0
        parts[-1].append(tree)
        total += size
    return parts
