"""A record of one pair, taken from a record of several answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from prefrun.records.tree import PreferenceTree
from prefrun_pairwise.curriculum import Pair


def pair_record(tree: PreferenceTree, pair: Pair, **metadata: Any) -> PreferenceTree:
    """Return TREE with two of its answers, the chosen one first, and further METADATA."""
    chosen, rejected = pair
    return replace(
        tree,
        id=f"{tree.id}/{chosen}-{rejected}",
        branches=(tree.branches[chosen], tree.branches[rejected]),
        metadata={**tree.metadata, **metadata},
    )
