"""One optimizer step's records as forward passes of a limited number of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from prefrun.policy.budget import Piece, cut_to_budget, in_budget
from prefrun.policy.collate import Example, collate, collate_tokens
from prefrun.policy.packing import Packing
from prefrun.policy.scoring import longest_first


def collate_step(
    examples: Sequence[Example],
    pad_token_id: int,
    packing: Packing,
    budget: int,
    coupled: bool = False,
) -> dict[str, Any]:
    """Return a step's records as 'passes', each a batch of at most BUDGET tokens.

    Where the loss must see records together that are in different passes, because a tree is cut
    or because it is COUPLED over the batch, the passes have no labels: 'joint' has them, a batch
    of all records, and each pass says in 'joint_slot' [N] and 'joint_branch' [n] where, in a
    flattened [B, K, T] and [B, K] of 'joint', its scored tokens and its branches belong. Elsewhere
    'joint' is None. 'tokens' counts the distinct ones.
    """
    pieces = cut_to_budget([example.tokens for example in examples], packing, budget)
    tokens = sum(packing.tokens(piece.tokens) for piece in pieces)
    order = longest_first([piece.tokens for piece in pieces])
    batches = list(in_budget([pieces[place] for place in order], packing, budget))
    if all(piece.whole for piece in pieces) and not (coupled and len(batches) > 1):
        parts = [[examples[piece.index] for piece in batch] for batch in batches]
        passes = [collate(part, pad_token_id, packing) for part in parts]
        return {"passes": passes, "joint": None, "tokens": tokens}
    joint = collate(examples, pad_token_id, packing)
    passes = [
        collate_tokens([piece.tokens for piece in batch], pad_token_id, packing)
        | _joint_places(batch, joint["token_mask"])
        for batch in batches
    ]
    return {"passes": passes, "joint": joint, "tokens": tokens}


def _joint_places(batch: Sequence[Piece], token_mask: Tensor) -> dict[str, Tensor]:
    _, most, longest = token_mask.shape
    slots, branches = [np.empty(0, dtype=np.int64)], []
    for piece in batch:
        for branch, ids in zip(piece.branches, piece.tokens.branches, strict=True):
            branches.append(piece.index * most + branch)
            slots.append(branches[-1] * longest + np.arange(len(ids)))
    return {
        "joint_slot": torch.from_numpy(np.concatenate(slots)),
        "joint_branch": torch.tensor(branches, dtype=torch.int64),
    }
