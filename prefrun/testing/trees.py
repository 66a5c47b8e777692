"""Random preference trees, for tests of everything that reads records."""

from __future__ import annotations

import random

from prefrun.records.tree import Branch, Message, PreferenceTree, Prompt, Step

WORDS = (
    "one",
    "two",
    "six",
    "red",
    "green",
    "blue",
    "slow",
    "fast",
    "near",
    "far",
    "north",
    "south",
)


def make_trees(trees: int = 6, branches: int = 4, seed: int = 0) -> list[PreferenceTree]:
    """Return valid records: text and chat prompts in turn, two steps per branch, scores, ranks.

    Answers of a record differ, scores have no ties, ids are 'tree-0', 'tree-1', ...; the same
    records for the same arguments.
    """
    draw = random.Random(seed)
    return [_tree(number, branches, draw) for number in range(trees)]


def _tree(number: int, branches: int, draw: random.Random) -> PreferenceTree:
    request = f"Say {' '.join(draw.sample(WORDS, 3))} for case {number}."
    prompt: Prompt = request if number % 2 else (Message("user", request),)
    places = draw.sample(range(branches), branches)
    return PreferenceTree(
        id=f"tree-{number}",
        prompt=prompt,
        branches=tuple(_branch(place, branches, draw) for place in places),
        annotator=f"annotator-{number % 2}",
    )


def _branch(place: int, branches: int, draw: random.Random) -> Branch:
    words = " ".join(draw.sample(WORDS, draw.randint(1, 6)))
    return Branch(
        steps=(
            Step(f"Answer {place}: ", score=draw.random()),
            Step(f"{words}.", score=draw.random()),
        ),
        scores={
            "overall": (place + 0.5) / branches,
            "helpfulness": draw.random(),
            "honesty": draw.random(),
        },
        rank=branches - place,
    )
