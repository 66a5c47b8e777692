"""How the trees of a row lie in it: all that attention needs to know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from prefrun.policy.attention.kernel import Kernel
from prefrun.policy.trie import Block, Trie


@dataclass(frozen=True, slots=True)
class RowLayout:
    """A row of T tokens that holds one or more tries, one behind the other."""

    kernel: Kernel
    """How to attend."""
    trees: tuple[tuple[int, int], ...]
    """Row range of each trie."""
    chains: tuple[tuple[int, int], ...]
    """Row ranges in which each token follows the one before it."""
    blocks: tuple[Block, ...]
    """What the chains' tokens see outside their own chain."""
    deepest: int
    """The longest path's tokens."""
    depth: Tensor
    """[T] int64, position of each token on its path."""
    subtree_end: Tensor
    """[T] int64: row place q sees place k where k <= q < subtree_end[k]."""
    prepared: dict[Any, Any] = field(default_factory=dict)
    """What a kernel makes once for all layers of a forward pass, such as a mask."""

    @classmethod
    def of(cls, tries: Sequence[Trie], kernel: Kernel) -> RowLayout:
        """Lay TRIES, at least one, behind each other."""
        chains: list[tuple[int, int]] = []
        blocks: list[Block] = []
        trees: list[tuple[int, int]] = []
        ends: list[Tensor] = []
        place = 0
        for trie in tries:
            chains.extend((start + place, stop + place) for start, stop in trie.chains)
            blocks.extend(block.shifted(place) for block in trie.blocks)
            trees.append((place, place + len(trie)))
            ends.append(torch.from_numpy(trie.subtree_end) + place)
            place += len(trie)
        return cls(
            kernel=kernel,
            trees=tuple(trees),
            chains=tuple(chains),
            blocks=tuple(blocks),
            deepest=max(int(trie.depth.max()) + 1 for trie in tries),
            depth=torch.cat([torch.from_numpy(trie.depth) for trie in tries]),
            subtree_end=torch.cat(ends),
        )

    def to(self, device: torch.device) -> RowLayout:
        """The same row with its tensors on DEVICE; nothing prepared is carried over."""
        depth, end = self.depth.to(device), self.subtree_end.to(device)
        return replace(self, depth=depth, subtree_end=end, prepared={})

    def mask(self, start: int, stop: int, window: int | None) -> Tensor:
        """[n, n] bool of the row range START..STOP: which key each query sees.

        WINDOW limits how far back, in positions on the path; None = no limit.
        """
        places = torch.arange(start, stop, device=self.depth.device)
        ends, depth = self.subtree_end[start:stop], self.depth[start:stop]
        seen = (places <= places[:, None]) & (places[:, None] < ends)
        if window is not None:
            seen &= depth[:, None] - depth < window
        return seen
