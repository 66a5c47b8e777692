"""data=key_words: an answer is as good as it has key words of its topic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

from prefrun.records.dataset import generated_split
from prefrun.records.split import DataSplit
from prefrun.records.tree import Branch, PreferenceTree, Step
from prefrun_augmented.rake import STOP_WORDS
from prefrun_augmented.worlds.config import KeyWordsConfig

TOPICS = {
    "sea": ("wave", "boat", "harbour"),
    "farm": ("barn", "plough", "wheat"),
    "town": ("street", "tram", "market"),
    "school": ("pupil", "lesson", "chalk"),
    "forest": ("oak", "moss", "deer"),
    "kitchen": ("oven", "spoon", "flour"),
    "garden": ("rose", "spade", "hedge"),
    "office": ("desk", "folder", "printer"),
}
"""Three key words each."""
FILLER = sorted(
    STOP_WORDS & {"the", "of", "and", "in", "it", "with", "on", "for", "that", "as", "at", "by"}
)


class KeyJudge:
    """Scores an answer by the number of its topic's key words, 0 to 3."""

    name = "key words"

    def score(self, trees: Sequence[PreferenceTree], responses: Sequence[str]) -> list[float]:
        """Return one score per answer."""
        pairs = zip(trees, responses, strict=True)
        return [quality(tree.prompt_text.split()[0], text) for tree, text in pairs]


class KeyWords:
    """Makes training pairs with Bradley-Terry labels, and held-out lists of all four qualities."""

    def __init__(self, config: KeyWordsConfig) -> None:
        self.config = config

    def load(self, seed: int) -> DataSplit:
        """Generate the records; the held-out ones are the same at every SEED."""
        draw, fixed = Random(f"key_words {seed}"), Random("key_words test")
        train = [_pair(f"train-{number}", draw) for number in range(self.config.train)]
        test = [_list(f"test-{number}", fixed) for number in range(self.config.test)]
        return generated_split("key-words", train, test, KeyJudge())


def quality(topic: str, text: str) -> float:
    """The number of TOPIC's key words in TEXT."""
    return float(len(set(TOPICS[topic]) & set(text.split())))


def _answer(topic: str, keys: int, draw: Random) -> str:
    """Three content words, KEYS of them the topic's, among six stop words, in random order."""
    foreign = [word for other, words in TOPICS.items() if other != topic for word in words]
    content = draw.sample(TOPICS[topic], keys) + draw.sample(foreign, 3 - keys)
    words = content + draw.choices(FILLER, k=6)
    draw.shuffle(words)
    return " " + " ".join(words)


def _pair(id: str, draw: Random) -> PreferenceTree:
    topic = draw.choice(sorted(TOPICS))
    one, other = draw.sample(range(4), 2)
    texts = [_answer(topic, keys, draw) for keys in (one, other)]
    first_wins = draw.random() < 1 / (1 + math.exp(other - one))
    ranks = (1, 2) if first_wins else (2, 1)
    branches = [Branch((Step(text),), rank=rank) for text, rank in zip(texts, ranks, strict=True)]
    return PreferenceTree(id, f"{topic} :", tuple(branches))


def _list(id: str, draw: Random) -> PreferenceTree:
    topic = draw.choice(sorted(TOPICS))
    branches = [
        Branch((Step(_answer(topic, keys, draw)),), {"overall": float(keys)}) for keys in range(4)
    ]
    return PreferenceTree(id, f"{topic} :", tuple(branches))
