"""The two answers of a pair, better one first, as every pair format needs them."""

from __future__ import annotations

from collections.abc import Sequence

from prefrun.errors import DataError
from prefrun.records.tree import Branch, PreferenceTree, Step


def pair_of(
    chosen: str,
    rejected: str,
    calls: tuple[str, str] = ("", ""),
    votes: Sequence[float | None] = (None, None),
) -> tuple[Branch, Branch]:
    """Return the branches of a preferred and a rejected answer: ranks 1 and 2, no scores.

    CALLS: the tool calls of each. VOTES: how many raters preferred each.
    """
    better = Branch((Step(chosen),), rank=1, tool_calls=calls[0], votes=votes[0])
    return better, Branch((Step(rejected),), rank=2, tool_calls=calls[1], votes=votes[1])


def chosen_and_rejected(tree: PreferenceTree) -> tuple[Branch, Branch]:
    """Return the better and the worse answer of a tree with two. Raises DataError otherwise."""
    if len(tree.branches) != 2:
        raise DataError(
            f"{len(tree.branches)} answer(s), but a pair holds two",
            record=tree.id,
            field="branches",
            remedy="write it in a list format",
        )
    first, second = tree.branches
    ranks = tree.ranks()
    if ranks[0] == ranks[1]:
        problem = "both answers are equally good, but a pair prefers one"
        raise DataError(problem, record=tree.id, field="branches")
    return (first, second) if ranks[0] < ranks[1] else (second, first)


def write_votes(branches: Sequence[Branch]) -> dict[str, list[float | None]]:
    """Return the column of votes for BRANCHES; none if no votes were counted."""
    votes = [branch.votes for branch in branches]
    return {} if all(each is None for each in votes) else {"votes": votes}
