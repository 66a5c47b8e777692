"""The pairs that SparsePO trains on: the best and the worst answer of each record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random

from prefrun.records.tree import PreferenceTree


def best_and_worst(trees: Sequence[PreferenceTree], objective: str) -> list[PreferenceTree]:
    """Return each record with its best and its worst answer, in this order; ties left out.

    Of several best (or worst) answers the first counts.
    """
    pairs = []
    for tree in trees:
        labels = tree.labels(objective) if len(tree.branches) > 1 else [0.0]
        best, worst = labels.index(max(labels)), labels.index(min(labels))
        if labels[best] > labels[worst]:
            pairs.append(replace(tree, branches=(tree.branches[best], tree.branches[worst])))
    return pairs


def shuffled(count: int, wanted: int, seed: int) -> list[int]:
    """Return WANTED indices below COUNT, every epoch in an order of its own."""
    indices: list[int] = []
    draw = Random(f"sparsepo {seed}")
    while len(indices) < wanted:
        indices += draw.sample(range(count), count)
    return indices[:wanted]


def in_parts(indices: Sequence[int], sizes: Mapping[int, int], budget: int) -> list[list[int]]:
    """Cut INDICES into parts whose SIZES add up to at most BUDGET; one record is never cut."""
    parts: list[list[int]] = []
    room = 0
    for index in indices:
        if not parts or sizes[index] > room:
            parts.append([])
            room = budget
        parts[-1].append(index)
        room -= sizes[index]
    return parts
