"""Two trees of given text in which every way of sharing occurs, for checking packed rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, islice
from typing import Any

from prefrun.policy.tokenise import TokenisedTree
from prefrun.policy.truncation import TruncationCount

DEEPEST = 160
"""Tokens of the longest path: the row is then longer than three of flex attention's blocks."""
UNITS = 8
"""The longest path in units, of which the trees' stretches are multiples."""
SHORTEST = 2
"""Tokens of a unit at least."""
LEAST_TEXT = 64
"""Fewer tokens than these would repeat too often to show a wrong mask."""


def sample_of(causal_lm: Any, text: Sequence[int]) -> list[TokenisedTree]:
    """Return the `sample_trees` of TEXT that fit the model."""
    config = causal_lm.config.get_text_config()
    positions = getattr(config, "max_position_embeddings", None)
    return sample_trees(text, config.vocab_size, positions)


def sample_trees(
    text: Sequence[int], vocabulary: int, positions: int | None
) -> list[TokenisedTree]:
    """Return a tree of steps shared to different depths, and a list whose answers begin alike.

    Their tokens are those of TEXT, in its order, again from its beginning if it is short; without
    text, ids spread over the VOCABULARY. No path is longer than POSITIONS; None = no limit.
    """
    if len(text) < LEAST_TEXT:
        text = [(7919 * place * place + 104729 * place) % vocabulary for place in range(499)]
    stream = iter(cycle(text))
    unit = max(SHORTEST, min(DEEPEST, positions or DEEPEST) // UNITS)

    def take(units: int) -> tuple[int, ...]:
        return tuple(islice(stream, units * unit))

    prompt, step, fork = take(3), take(2), take(1)
    steps = _tree(prompt, [step + fork + take(2), step + fork + take(1), step, take(3)])
    prompt, start = take(4), take(1)
    return [steps, _tree(prompt, [start + take(3), start + take(1), take(2)])]


def _tree(prompt: tuple[int, ...], branches: list[tuple[int, ...]]) -> TokenisedTree:
    ends = tuple((len(ids),) for ids in branches)
    return TokenisedTree("", prompt, tuple(branches), ends, TruncationCount())
