"""Pairs of a list of answers from easy to hard, and their stages. Standard library only."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Pair = tuple[int, int]
"""Places of the chosen and of the rejected answer."""


def rank_order(scores: Sequence[float]) -> list[int]:
    """Places of the answers from best to worst; equal scores keep their order."""
    return sorted(range(len(scores)), key=lambda place: -scores[place])


def pairs_of(scores: Sequence[float], choice: str) -> list[Pair]:
    """Pairs of unequal scores, from the best chosen answer down, then the best rejected one down.

    choice: all | best_vs_rest | best_vs_worst, names of `config.PairChoice`; the worst of equals is
    the last.
    """
    order = rank_order(scores)
    chosen = order if choice == "all" else order[:1]
    rejected = order[-1:] if choice == "best_vs_worst" else order
    return [
        (better, worse) for better in chosen for worse in rejected if scores[better] > scores[worse]
    ]


def easy_to_hard(pairs: Sequence[Pair], gap: Callable[[Pair], float]) -> list[Pair]:
    """The pairs by falling GAP; equal gaps keep their order.

    Source: Curri-DPO (arXiv 2403.07230): the larger the gap of the ratings, the easier the pair.
    """
    return sorted(pairs, key=lambda pair: -gap(pair))


def stages_of(pairs: Sequence[Pair], stages: int) -> list[list[Pair]]:
    """Pair i of m sorted ones belongs to stage i * STAGES // m; some stages may be empty."""
    result: list[list[Pair]] = [[] for _ in range(stages)]
    for place, pair in enumerate(pairs):
        result[place * stages // len(pairs)].append(pair)
    return result
