"""The exact judge of the generated language pair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from prefrun_simulpl.reordered import monotone, reordered

if TYPE_CHECKING:
    from prefrun.records.tree import PreferenceTree


class ReorderedJudge:
    """Implements `prefrun.reward.ObjectivesReward` for translations of the generated pair.

    accuracy: share of words right at their place in the monotone translation. correct: the same,
    where each block of two words may also be swapped. monotone: of the blocks that are right in
    either way, the share in source order; 0 where no block is right. A sentence's length is that of
    the longer of hypothesis and translation.
    """

    name = "accuracy"
    objectives = ("accuracy", "correct", "monotone")

    def score(self, trees: Sequence[PreferenceTree], responses: Sequence[str]) -> list[float]:
        """Return the accuracy. Raises DataError for a source in another language."""
        return [row[0] for row in self.score_objectives(trees, responses)]

    def score_objectives(
        self, trees: Sequence[PreferenceTree], responses: Sequence[str]
    ) -> list[tuple[float, ...]]:
        """Return accuracy, correct and monotone. Raises DataError as `score` does."""
        pairs = zip(trees, responses, strict=True)
        return [_judge(tree.prompt_text.split(), response.split()) for tree, response in pairs]


def _judge(source: list[str], words: list[str]) -> tuple[float, float, float]:
    straight, crossed = monotone(source), reordered(source)
    length = max(len(straight), len(words))
    right = ordered = blocks = 0
    for start in range(0, len(straight), 2):
        block = slice(start, start + 2)
        same, turned = (_matches(words[block], text[block]) for text in (straight, crossed))
        right += max(same, turned)
        size = len(straight[block])
        if size == 2 and straight[block] != crossed[block]:
            ordered += same == size
            blocks += size in (same, turned)
    accuracy = _matches(words, straight) / length
    return accuracy, right / length, ordered / blocks if blocks else 0.0


def _matches(words: Sequence[str], wanted: Sequence[str]) -> int:
    return sum(word == other for word, other in zip(words, wanted, strict=False))
