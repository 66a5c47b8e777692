"""data=instructed_words: answers on and off topic, and pairs that added instructions decide."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from prefrun.records.dataset import generated_split
from prefrun.records.split import DataSplit
from prefrun.records.tree import Branch, PreferenceTree, Step
from prefrun_augmented.instructions import matched
from prefrun_augmented.worlds.config import HeldOut, InstructedWordsConfig
from prefrun_augmented.worlds.key_words import TOPICS

MOST_WORDS = 8
EXTRA = ("small", "big", "red", "blue", "old", "new", "slow", "fast")


class TopicJudge:
    """Scores an answer by the share of its words that belong to the prompt's topic."""

    name = "share on topic"

    def score(self, trees: Sequence[PreferenceTree], responses: Sequence[str]) -> list[float]:
        """Return one score per answer, 0 to 1; 0 for an empty one."""
        pairs = zip(trees, responses, strict=True)
        return [_share(tree.prompt_text.partition(":")[0], text.split()) for tree, text in pairs]


class InstructedWords:
    """Makes pairs on a topic; the held-out ones may differ by instructions only."""

    def __init__(self, config: InstructedWordsConfig) -> None:
        self.config = config

    def load(self, seed: int) -> DataSplit:
        """Generate the records; the held-out ones are the same at every SEED."""
        draw, fixed = Random(f"instructed_words {seed}"), Random("instructed_words test")
        train = [_topic_pair(f"train-{number}", draw) for number in range(self.config.train)]
        make = _instructed if self.config.held_out is HeldOut.instructions else _topic_pair
        test = [make(f"test-{number}", fixed) for number in range(self.config.test)]
        return generated_split("instructed-words", train, test, TopicJudge())


def _share(topic: str, words: Sequence[str]) -> float:
    return sum(word in TOPICS[topic] for word in words) / max(1, len(words))


def _answer(topic: str, share: float, draw: Random) -> str:
    """Two to eight words, each with probability SHARE one of TOPIC's."""
    foreign = [word for other, words in TOPICS.items() if other != topic for word in words]
    count = draw.randint(2, MOST_WORDS)
    return " ".join(
        draw.choice(TOPICS[topic]) if draw.random() < share else draw.choice((*foreign, *EXTRA))
        for _ in range(count)
    )


def _topic_pair(id: str, draw: Random) -> PreferenceTree:
    topic = draw.choice(sorted(TOPICS))
    good, bad = _answer(topic, 0.8, draw), _answer(topic, 0.2, draw)
    while _share(topic, good.split()) <= _share(topic, bad.split()):
        good, bad = _answer(topic, 0.8, draw), _answer(topic, 0.2, draw)
    branches = [Branch((Step(good),), rank=1), Branch((Step(bad),), rank=2)]
    draw.shuffle(branches)
    return PreferenceTree(id, f"{topic}:\n", tuple(branches))


def _instructed(id: str, draw: Random) -> PreferenceTree:
    """Two answers of like share on topic; all two or three instructions hold for one of them only.

    The instructions are taken from the better answer, and the worse one breaks at least one.
    """
    while True:
        topic = draw.choice(sorted(TOPICS))
        good, bad = _answer(topic, 0.5, draw), _answer(topic, 0.5, draw)
        kept, _ = matched(good, draw.randint(2, 3), draw)
        if len(kept) >= 2 and not all(item.check(bad) for item in kept):
            break
    added = "".join(f"\n{item.text}" for item in kept)
    branches = [Branch((Step(good),), rank=1), Branch((Step(bad),), rank=2)]
    draw.shuffle(branches)
    return PreferenceTree(id, f"{topic}:{added}\n", tuple(branches))
