"""Tokenised trees as rows of a model's input. Only this file and `logprobs` know of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from prefrun.policy.attention.kernel import Kernel
from prefrun.policy.attention.layout import RowLayout
from prefrun.policy.packing import Packing
from prefrun.policy.tokenise import TokenisedTree
from prefrun.policy.trie import Ints


def make_rows(
    trees: Sequence[TokenisedTree], pad_token_id: int, packing: Packing
) -> dict[str, Any]:
    """Return the model's inputs and which of their positions predict which token of a branch.

    'source' [U], 'place' [U], 'target' [U] and 'gather' [N] are those of `collate_tokens`.
    """
    if packing.kernel is None or not any(tree.branches for tree in trees):
        return _row_per_branch(trees, pad_token_id)
    return _one_row(trees, packing.kernel)


def _one_row(trees: Sequence[TokenisedTree], kernel: Kernel) -> dict[str, Any]:
    """All tries behind each other in one row without padding."""
    tries = [tree.trie for tree in trees]
    source, target = [], []
    own: list[Ints] = []
    gather: list[Ints] = []
    place = scored = 0
    for trie in tries:
        # a prompt of a branch's own may stand at the root; nothing reads how likely it is
        source.append(np.maximum(trie.parent[trie.prompt :], 0) + place)
        own.append(np.arange(trie.prompt, len(trie)) + place)
        target.append(trie.ids[trie.prompt :])
        gather.extend(places - trie.prompt + scored for places in trie.places)
        place += len(trie)
        scored += len(trie) - trie.prompt
    layout = RowLayout.of(tries, kernel)
    return {
        "input_ids": torch.from_numpy(np.concatenate([trie.ids for trie in tries]))[None],
        "position_ids": layout.depth[None],
        "tree_layout": layout,
        "source": torch.from_numpy(np.concatenate(source)),
        "place": torch.from_numpy(np.concatenate(own)),
        "target": torch.from_numpy(np.concatenate(target)),
        "gather": torch.from_numpy(np.concatenate(gather)),
    }


def _row_per_branch(trees: Sequence[TokenisedTree], pad_token_id: int) -> dict[str, Any]:
    """Prompt and answer in a right-padded row, for every branch."""
    paths = [
        (len(prompt), (*prompt, *ids))
        for tree in trees
        for prompt, ids in zip(tree.prompts, tree.branches, strict=True)
    ]
    length = max((len(path) for _, path in paths), default=1)
    input_ids = np.full((len(paths), length), pad_token_id, dtype=np.int64)
    mask = np.zeros((len(paths), length), dtype=np.int64)
    source = [np.empty(0, dtype=np.int64)]
    for row, (prompt, path) in enumerate(paths):
        input_ids[row, : len(path)] = path
        mask[row, : len(path)] = 1
        source.append(np.arange(prompt - 1, len(path) - 1) + row * length)
    sources = np.concatenate(source)
    return {
        "input_ids": torch.from_numpy(input_ids),
        "attention_mask": torch.from_numpy(mask),
        "source": torch.from_numpy(sources),
        "place": torch.from_numpy(sources + 1),
        "target": torch.from_numpy(input_ids.reshape(-1)[sources + 1]),
        "gather": torch.arange(len(sources)),
    }
