"""One optimizer step's records as forward passes of a limited size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from prefrun.models.kind import ModelKind
from prefrun.policy.budget import Piece, cut_to_budget, in_budget
from prefrun.policy.collate import Example, layout, with_labels


def collate_step(
    kind: ModelKind, examples: Sequence[Example], budget: int, coupled: bool = False
) -> dict[str, Any]:
    """Return a step's records as 'passes', each a batch of at most BUDGET tokens (`kind.size`).

    Where the loss must see records together that are in different passes, because a tree is cut
    or because it is COUPLED over the batch, the passes have no labels: 'joint' has them, a batch
    of all records, and each pass says in 'joint_slot' [N], 'joint_branch' [n] and 'joint_tree' [b]
    where, in a flattened [B, K, T], [B, K] and [B] of 'joint', its numbers, branches and trees
    belong, and in 'joint_pieces' [b] in how many pieces each tree is. Otherwise 'joint' is None.
    'tokens' counts the distinct ones.
    """
    pieces = cut_to_budget([example.encoded for example in examples], kind, budget)
    tokens = sum(kind.size(piece.encoded) for piece in pieces)
    order = kind.order([piece.encoded for piece in pieces])
    batches = list(in_budget([pieces[place] for place in order], kind, budget))
    if all(piece.whole for piece in pieces) and not (coupled and len(batches) > 1):
        parts = [[examples[piece.index] for piece in batch] for batch in batches]
        passes = [with_labels(_inputs(kind, part), part) for part in parts]
        return {"passes": passes, "joint": None, "tokens": tokens}
    joint = with_labels(_inputs(kind, examples), examples)
    count = Counter(piece.index for piece in pieces)
    passes = [
        _inputs(kind, batch) | _joint_positions(batch, joint["token_mask"], count)
        for batch in batches
    ]
    return {"passes": passes, "joint": joint, "tokens": tokens}


def _inputs(kind: ModelKind, items: Sequence[Example] | Sequence[Piece]) -> dict[str, Any]:
    encoded = [item.encoded for item in items]
    return kind.collate(encoded) | layout(encoded)


def _joint_positions(
    batch: Sequence[Piece], token_mask: Tensor, pieces: Mapping[int, int]
) -> dict[str, Tensor]:
    _, most, longest = token_mask.shape
    slots, branches = [np.empty(0, dtype=np.int64)], []
    for piece in batch:
        for branch, ends in zip(piece.branches, piece.encoded.step_ends, strict=True):
            branches.append(piece.index * most + branch)
            slots.append(branches[-1] * longest + np.arange(ends[-1] if ends else 0))
    return {
        "joint_slot": torch.from_numpy(np.concatenate(slots)),
        "joint_branch": torch.tensor(branches, dtype=torch.int64),
        "joint_tree": torch.tensor([piece.index for piece in batch], dtype=torch.int64),
        "joint_pieces": torch.tensor([pieces[piece.index] for piece in batch]),
    }
