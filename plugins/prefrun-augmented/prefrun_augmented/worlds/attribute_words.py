"""data=attribute_words: the better answer holds the word that the prompt's number points to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from prefrun.records.split import DataSplit
from prefrun.records.tree import Branch, PreferenceTree, Step
from prefrun_augmented.worlds.config import AttributeWordsConfig, Rationales
from prefrun_augmented.worlds.generated import generated_split

WORDS = tuple(
    shade + colour
    for shade in ("", "dark", "light", "pale", "deep", "warm", "cold", "dull")
    for colour in ("red", "blue", "green", "brown")
)
NUMBERS = ("one", "two", "three", "four")


class WordJudge:
    """Scores an answer 1 where it holds the required word, else 0."""

    name = "required word"

    def score(self, trees: Sequence[PreferenceTree], responses: Sequence[str]) -> list[float]:
        """Return one score per answer."""
        pairs = zip(trees, responses, strict=True)
        return [float(required(tree.prompt_text) in text.split()) for tree, text in pairs]


class AttributeWords:
    """Makes pairs: an answer with the required word, and one without."""

    def __init__(self, config: AttributeWordsConfig) -> None:
        self.config = config

    def load(self, seed: int) -> DataSplit:
        """Generate the records; the held-out ones are the same at every SEED."""
        draw, fixed = Random(f"attribute_words {seed}"), Random("attribute_words test")
        test = _pairs(self.config.test, fixed, "test", set())
        train = _pairs(self.config.train, draw, "train", {tree.prompt_text for tree in test})
        if self.config.rationales is Rationales.shuffled:
            texts = [tree.metadata["rationale"] for tree in train]
            draw.shuffle(texts)
            train = [
                replace(tree, metadata={"rationale": text})
                for tree, text in zip(train, texts, strict=True)
            ]
        return generated_split("attribute-words", train, test, WordJudge())


def required(prompt: str) -> str:
    """The word that the prompt's number points to."""
    number, *words = prompt.rstrip(":").split()
    return words[NUMBERS.index(number)]


def _pairs(count: int, draw: Random, name: str, taken: set[str]) -> list[PreferenceTree]:
    trees: list[PreferenceTree] = []
    while len(trees) < count:
        words = draw.sample(WORDS, len(NUMBERS))
        prompt = " ".join([draw.choice(NUMBERS), *words]) + " :"
        if prompt in taken:
            continue
        taken.add(prompt)
        word = required(prompt)
        others = [other for other in words if other != word]
        good = draw.sample([word, draw.choice(others)], 2)
        answers = [" ".join(good), " ".join(draw.sample(others, 2))]
        branches = [
            Branch((Step(f" {text}"),), {"overall": float(word in text.split())})
            for text in answers
        ]
        metadata = {"rationale": f" because it has {word}"}
        draw.shuffle(branches)
        trees.append(
            PreferenceTree(f"{name}-{len(trees)}", prompt, tuple(branches), metadata=metadata)
        )
    return trees
