"""Whether and how trees are packed into rows: the back end of `token_logprobs`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prefrun.policy.attention.kernel import Kernel

if TYPE_CHECKING:
    from prefrun.policy.tokenise import TokenisedTree


@dataclass(frozen=True, slots=True)
class Packing:
    """How trees become rows of a model's input."""

    kernel: Kernel | None
    """None: one right-padded row per branch, with the model's own attention."""
    note: str = ""
    """Why it is this one, for the run's header."""

    def size(self, tree: TokenisedTree) -> int:
        """Return how many tokens TREE adds to a forward pass, padding left aside."""
        if self.kernel is not None:
            return len(tree.trie)
        return sum(map(len, tree.prompts)) + sum(map(len, tree.branches))

    def neighbours(self, tree: TokenisedTree) -> list[int]:
        """Return the branches of TREE in the order of their ids: neighbours share the most."""
        prompts = tree.prompts
        return sorted(range(len(prompts)), key=lambda k: (*prompts[k], *tree.branches[k]))


PLAIN = Packing(None)
