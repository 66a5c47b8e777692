"""The token paths of a tree as a radix trie laid out in one row: each shared token once.

Branches are taken in the order of their token ids, so a branch shares its longest common prefix
with the one before it, and the row is the trie in depth-first order. A token may attend to the
tokens on its own path: row place q sees place k where k <= q < subtree_end[k].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Block:
    """Queries that see every key of a block: descendants, and a stretch of their common path."""

    query_start: int
    query_stop: int
    key_start: int
    key_stop: int

    def shifted(self, places: int) -> Block:
        """The same block in a row where the trie begins at PLACES."""
        return Block(
            self.query_start + places,
            self.query_stop + places,
            self.key_start + places,
            self.key_stop + places,
        )


@dataclass(frozen=True, slots=True)
class Trie:
    """One tree of T distinct tokens, P of them the prompt's, in one row."""

    ids: Ints
    """[T] token ids; the prompt stands first."""
    depth: Ints
    """[T] position of each token on its path, from 0."""
    parent: Ints
    """[T] row place of the token before it on its path; -1 at the root."""
    subtree_end: Ints
    """[T] row place one past the last token that has this one on its path."""
    places: tuple[Ints, ...]
    """Per branch, in the tree's own order, the row places of its answer's tokens."""
    prompt: int
    """P: places below it are the prompt's and are not scored; 0 where prompts begin differently."""
    chains: tuple[tuple[int, int], ...]
    """Row ranges in which each token follows the one before it; together they are the row."""
    blocks: tuple[Block, ...]
    """What the chains' tokens see outside their own chain."""

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def of(
        cls,
        prompt: Sequence[int],
        branches: Sequence[Sequence[int]],
        contexts: Sequence[Sequence[int]] = (),
    ) -> Trie:
        """Build the trie of BRANCHES behind PROMPT; a tree without branches is its prompt.

        CONTEXTS are what each branch has between the two, which is no answer.
        """
        contexts = contexts or ((),) * len(branches)
        rests = [(*context, *ids) for context, ids in zip(contexts, branches, strict=True)]
        order = sorted(range(len(branches)), key=rests.__getitem__)
        rows = [np.fromiter((*prompt, *rests[k]), dtype=np.int64) for k in order]
        if not rows:
            rows = [np.array(prompt, dtype=np.int64)]
        builder = _Builder()
        for row in rows:
            builder.add(row)
        places: list[Ints] = [np.empty(0, dtype=np.int64)] * len(branches)
        for branch, path in zip(order, builder.paths, strict=False):
            places[branch] = path[len(prompt) + len(contexts[branch]) :]
        return builder.trie(tuple(places), len(prompt))


class _Builder:
    """Adds sorted paths one by one."""

    def __init__(self) -> None:
        self.paths: list[Ints] = []
        self.chains: list[tuple[int, int]] = []
        self.size = 0
        self._ids: list[Ints] = []
        self._depth: list[Ints] = []
        self._joints: list[int] = []
        self._last = np.empty(0, dtype=np.int64)
        self._stretches: list[tuple[int, int]] = []
        """Row ranges that make up the last path."""
        self._blocks: dict[tuple[int, int], tuple[int, int]] = {}

    def add(self, row: Ints) -> None:
        """Append what ROW does not share with the path before it."""
        shared = _common(self._last, row)
        before = self.paths[-1][:shared] if self.paths else self._last
        own = np.arange(self.size, self.size + len(row) - shared)
        self.paths.append(np.concatenate([before, own]))
        self._last = row
        if not len(own):
            return
        start, stop = self.size, self.size + len(own)
        self._cut_stretches(shared)
        for stretch in self._stretches:
            first, _ = self._blocks.get(stretch, (start, stop))
            self._blocks[stretch] = (first, stop)
        self._stretches.append((start, stop))
        self.chains.append((start, stop))
        self._ids.append(row[shared:])
        self._depth.append(np.arange(shared, len(row)))
        self._joints.append(int(before[-1]) if shared else -1)
        self.size = stop

    def _cut_stretches(self, length: int) -> None:
        """Keep the first LENGTH tokens of the last path."""
        kept = []
        for start, stop in self._stretches:
            stop = min(stop, start + length)
            if stop > start:
                kept.append((start, stop))
            length -= stop - start
        self._stretches = kept

    def trie(self, places: tuple[Ints, ...], prompt: int) -> Trie:
        """Put it all together."""
        parent = np.arange(-1, self.size - 1)
        for (start, _), joint in zip(self.chains, self._joints, strict=True):
            parent[start] = joint
        end = np.empty(self.size, dtype=np.int64)
        for start, stop in self.chains:
            end[start:stop] = stop
        for (start, stop), (_, query_stop) in self._blocks.items():
            np.maximum(end[start:stop], query_stop, out=end[start:stop])
        return Trie(
            ids=np.concatenate(self._ids),
            depth=np.concatenate(self._depth),
            parent=parent,
            subtree_end=end,
            places=places,
            prompt=prompt,
            chains=tuple(self.chains),
            blocks=tuple(Block(q, r, k, n) for (k, n), (q, r) in self._blocks.items()),
        )


def _common(one: Ints, other: Ints) -> int:
    """Return the length of the longest common prefix."""
    length = min(len(one), len(other))
    differing = np.flatnonzero(one[:length] != other[:length])
    return int(differing[0]) if len(differing) else length
