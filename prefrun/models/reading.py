"""How a reward head reads answers: up to the last token that it is to judge by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from prefrun.policy.tokenise import TokenisedTree

READS = "prefrun_reads"
"""In the saved config.json: under which limits prompts and answers became tokens."""


@dataclass(frozen=True, slots=True)
class ScoredTree:
    """A tokenised tree of whose branches each has one number."""

    tokens: TokenisedTree

    @property
    def id(self) -> str:
        """The tree's."""
        return self.tokens.id

    @property
    def step_ends(self) -> tuple[tuple[int, ...], ...]:
        """One number per branch."""
        return ((1,),) * len(self.tokens.branches)

    def only(self, branches: Sequence[int]) -> ScoredTree:
        """Return the tree with BRANCHES only, in that order."""
        return ScoredTree(self.tokens.only(branches))


def scored(tokens: TokenisedTree, pad: int) -> ScoredTree:
    """Return TOKENS without what stands behind the last token that is read: see `RewardHead`."""
    branches = []
    for ids in tokens.branches:
        end = len(ids)
        while end > 1 and ids[end - 1] == pad:
            end -= 1
        branches.append(ids[:end])
    ends = tuple(
        tuple(min(end, len(ids)) for end in row)
        for row, ids in zip(tokens.step_ends, branches, strict=True)
    )
    return ScoredTree(replace(tokens, branches=tuple(branches), step_ends=ends))
