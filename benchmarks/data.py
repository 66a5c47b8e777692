"""Random examples of a shape, and the pairs that TRL makes of them.

A pair of a list is two whole answers to the prompt. A pair of a tree stands at an inner node: the
prompt is the tree's prompt and the path so far, chosen is the step with the best score among the
node's children, rejected is another child. A tree of depth D and branching b has
(b^D - 1) / (b - 1) inner nodes with b - 1 pairs each: 15 for 4x2, 26 for 3x3.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from shapes import Shape

from prefrun.policy.collate import Example
from prefrun.policy.tokenise import TokenisedTree
from prefrun.policy.truncation import TruncationCount

PAD, EOS, FIRST = 0, 1, 3
"""Padding, end of sequence, and the first id that random tokens may have."""


@dataclass(frozen=True, slots=True)
class Span:
    """A run of tokens of one branch: what comes before it is its prompt."""

    branch: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Pair:
    """Two continuations of the same tokens."""

    chosen: Span
    rejected: Span


def make_examples(shape: Shape, count: int, seed: int) -> list[Example]:
    """Return COUNT examples without reference; the same for the same arguments."""
    draw = random.Random(f"{seed} {shape}")
    make = _tree_example if shape.is_tree else _list_example
    return [make(shape, f"prompt-{number}", draw) for number in range(count)]


def _tokens(shape: Shape, count: int, draw: random.Random) -> tuple[int, ...]:
    return tuple(draw.randrange(FIRST, shape.vocabulary) for _ in range(count))


def _segment(shape: Shape, draw: random.Random) -> tuple[int, ...]:
    return _tokens(shape, draw.randint(*shape.length), draw)


def _list_example(shape: Shape, id: str, draw: random.Random) -> Example:
    answers = tuple((*_segment(shape, draw)[:-1], EOS) for _ in range(shape.answers))
    return _example(
        tree=TokenisedTree(
            id=id,
            prompt_ids=_tokens(shape, shape.prompt, draw),
            branches=answers,
            step_ends=tuple((len(answer),) for answer in answers),
            truncated=TruncationCount(),
        ),
        scores=draw.sample(range(shape.answers), shape.answers),
        step_scores=((math.nan,),) * shape.answers,
    )


def _tree_example(shape: Shape, id: str, draw: random.Random) -> Example:
    """Branches in depth-first order: leaf number k goes through child (k // b^rest) % b."""
    segments: dict[tuple[int, ...], tuple[int, ...]] = {}
    scores: dict[tuple[int, ...], float] = {}
    paths: list[tuple[int, ...]] = [()]
    for _ in range(shape.depth):
        paths = [(*path, child) for path in paths for child in range(shape.branching)]
        segments |= {path: _segment(shape, draw) for path in paths}
        scores |= {path: draw.random() for path in paths}
    nodes = [[leaf[: level + 1] for level in range(shape.depth)] for leaf in paths]
    steps = [[segments[node] for node in branch] for branch in nodes]
    step_scores = tuple(tuple(scores[node] for node in branch) for branch in nodes)
    return _example(
        tree=TokenisedTree(
            id=id,
            prompt_ids=_tokens(shape, shape.prompt, draw),
            branches=tuple(tuple(token for step in branch for token in step) for branch in steps),
            step_ends=tuple(tuple(accumulate(map(len, branch))) for branch in steps),
            truncated=TruncationCount(),
        ),
        scores=[row[-1] for row in step_scores],
        step_scores=step_scores,
    )


def _example(
    tree: TokenisedTree, scores: Sequence[float], step_scores: tuple[tuple[float, ...], ...]
) -> Example:
    return Example(
        encoded=tree,
        scores=tuple(map(float, scores)),
        ranks=tuple(1 + sum(other > score for other in scores) for score in scores),
        weight=1.0,
        branch_weights=(1.0,) * len(scores),
        step_scores=step_scores,
        objectives={},
        reference=None,
    )


def pairs_of(shape: Shape, example: Example) -> list[Pair]:
    """Return the pairs of one example; as many for every example of a shape."""
    return list(_tree_pairs(shape, example) if shape.is_tree else _list_pairs(shape, example))


def _list_pairs(shape: Shape, example: Example) -> Iterator[Pair]:
    whole = [Span(k, 0, len(ids)) for k, ids in enumerate(example.encoded.branches)]
    order = sorted(whole, key=lambda span: -example.scores[span.branch])
    for place, chosen in enumerate(order):
        if place == 0 or shape.pairs == "all":
            yield from (Pair(chosen, rejected) for rejected in order[place + 1 :])


def _tree_pairs(shape: Shape, example: Example) -> Iterator[Pair]:
    ends = example.encoded.step_ends
    for level in range(shape.depth):
        below = shape.branching ** (shape.depth - level - 1)  # leaves of one child
        for first in range(0, shape.leaves, below * shape.branching):
            children = range(first, first + below * shape.branching, below)
            start = ends[first][level - 1] if level else 0
            spans = [Span(leaf, start, ends[leaf][level]) for leaf in children]
            best = max(spans, key=lambda span: example.step_scores[span.branch][level])
            yield from (Pair(best, other) for other in spans if other is not best)


def pair_example(example: Example, number: int, pair: Pair) -> Example:
    """Return a pair as an example of its own with two answers, the first one better."""
    tree, spans = example.encoded, (pair.chosen, pair.rejected)
    branches = tuple(tree.branches[span.branch][span.start : span.stop] for span in spans)
    made = _example(
        tree=TokenisedTree(
            id=f"{tree.id}-{number}",
            prompt_ids=tree.prompt_ids + tree.branches[spans[0].branch][: spans[0].start],
            branches=branches,
            step_ends=tuple((len(ids),) for ids in branches),
            truncated=TruncationCount(),
        ),
        scores=(1.0, 0.0),
        step_scores=((math.nan,), (math.nan,)),
    )
    if example.reference is None:
        return made
    reference = tuple(example.reference[s.branch][s.start : s.stop] for s in spans)
    return replace(made, reference=reference)


def pair_examples(shape: Shape, examples: Iterable[Example]) -> list[Example]:
    """Return the pairs of all EXAMPLES, in order, as examples of their own."""
    return [
        pair_example(example, number, pair)
        for example in examples
        for number, pair in enumerate(pairs_of(shape, example))
    ]


@dataclass(frozen=True, slots=True)
class TokenCount:
    """Tokens that a forward pass of one batch takes, padding left out."""

    pairs: int
    """One row per pair member, as TRL does it."""
    branches: int
    """One row per branch."""
    trie: int
    """Each shared token once."""


def count_tokens(shape: Shape, examples: Sequence[Example]) -> TokenCount:
    """Count the tokens of EXAMPLES in the three layouts."""
    return TokenCount(
        pairs=sum(map(_row_tokens, pair_examples(shape, examples))),
        branches=sum(map(_row_tokens, examples)),
        trie=sum(map(_trie_tokens, examples)),
    )


def _row_tokens(example: Example) -> int:
    prompt = len(example.encoded.prompt_ids)
    return sum(prompt + len(branch) for branch in example.encoded.branches)


def _trie_tokens(example: Example) -> int:
    nodes: dict[tuple[int, int], int] = {}
    for branch in example.encoded.branches:
        node = 0
        for token in (*example.encoded.prompt_ids, *branch):
            node = nodes.setdefault((node, token), len(nodes) + 1)
    return len(nodes)
