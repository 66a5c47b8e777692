"""A data source for the tests of model=scratch; no other plugin is needed."""

from __future__ import annotations

from dataclasses import dataclass

from prefrun.component import Component
from prefrun.records.split import DataSplit, ReadCounts
from prefrun.records.tree import Branch, PreferenceTree, Step


@dataclass
class WordsConfig:
    records: int = 24
    chat: bool = False


class Words:
    """Repeat a word: the better answer does, the worse one gives another word."""

    def __init__(self, config):
        self.config = config

    def load(self, seed):
        words = ["red", "green", "blue", "sand"]
        trees = [
            PreferenceTree(
                f"r{number}",
                f"say {words[number % 4]} {number}:",
                (
                    Branch((Step(words[number % 4]),), {"overall": 1.0}),
                    Branch((Step(words[(number + 1) % 4]),), {"overall": 0.0}),
                ),
                metadata={"note": "ü"},
            )
            for number in range(self.config.records)
        ]
        return DataSplit(
            "words",
            trees[4:],
            trees[:4],
            f"{self.config.records:x}{seed:x}",
            ReadCounts(len(trees), len(trees)),
        )


COMPONENTS = {
    ("data", "words"): Component("data", "words", WordsConfig, "toy_words:Words", "words"),
}
