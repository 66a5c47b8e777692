"""data=attribute_words: the better answer holds the word that the prompt marks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from prefrun.records.dataset import generated_split
from prefrun.records.split import DataSplit
from prefrun.records.tree import Branch, PreferenceTree, Step
from prefrun_augmented.config import RationaleStyle
from prefrun_augmented.rationales import QUESTIONS
from prefrun_augmented.worlds.config import AttributeWordsConfig, Rationales

WORDS = (
    *("ash", "bay", "fig", "fir", "gum", "hay", "ivy", "oak"),
    *("ant", "bat", "cat", "dog", "eel", "fox", "hen", "owl"),
    *("axe", "bag", "cup", "hat", "jar", "key", "mug", "pen"),
)
MARK = "*"
QUESTION = QUESTIONS[RationaleStyle.general].format(prompt="", first="", second="")
"""Its words stand in each record, so that a model made from the data knows them."""
COUNT = 4


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
                replace(tree, metadata={**tree.metadata, "rationale": text})
                for tree, text in zip(train, texts, strict=True)
            ]
        return generated_split("attribute-words", train, test, WordJudge())


def required(prompt: str) -> str:
    """The word that the prompt marks."""
    return prompt.partition(MARK)[2].split()[0]


def _pairs(count: int, draw: Random, name: str, taken: set[str]) -> list[PreferenceTree]:
    trees: list[PreferenceTree] = []
    while len(trees) < count:
        words = draw.sample(WORDS, COUNT)
        word = draw.choice(words)
        prompt = " ".join(MARK + each if each == word else each for each in words) + " :"
        if prompt in taken:
            continue
        taken.add(prompt)
        others = [other for other in words if other != word]
        answers = [draw.sample([word, draw.choice(others)], 2), draw.sample(others, 2)]
        branches = [
            Branch((Step(f" {' '.join(answer)}"),), {"overall": float(word in answer)})
            for answer in answers
        ]
        draw.shuffle(branches)
        metadata = {"rationale": f" because it has {word}", "question": QUESTION}
        trees.append(
            PreferenceTree(f"{name}-{len(trees)}", prompt, tuple(branches), metadata=metadata)
        )
    return trees
