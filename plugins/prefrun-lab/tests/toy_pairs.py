"""A base loss and a data source for the tests; no other plugin is needed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from prefrun.algorithm import LossAlgorithm, LossOutput, Term
from prefrun.component import Component
from prefrun.records.split import DataSplit, ReadCounts
from prefrun.records.tree import Branch, PreferenceTree, Step


@dataclass
class PairConfig:
    beta: float = 1.0
    adds: bool = False
    extra_need: str = ""


class PairLoss(LossAlgorithm):
    """-log sigmoid of the better answer's log-ratio less the worse one's, over all pairs."""

    def __init__(self, config):
        super().__init__(config)
        self.needs = frozenset({"reference", config.extra_need} - {""})
        self.steps_done = 0

    def prepare(self, trees, seed):
        """Reverse the answers, so that features must follow them; may add one."""
        trees = [replace(tree, branches=tree.branches[::-1]) for tree in trees]
        if self.config.adds:
            own = Branch((Step("my own"),), {"overall": -9.0})
            trees = [replace(tree, branches=(*tree.branches, own)) for tree in trees]
        return trees

    def make_module(self, hidden_size):
        return torch.nn.Linear(hidden_size, 1)

    def step_done(self, sums):
        self.steps_done += int(sums["batches"])

    def loss(self, batch):
        rewards = self.config.beta * batch.log_ratios
        better = batch.scores.unsqueeze(-1) > batch.scores.unsqueeze(-2)
        better = better & batch.branch_mask.unsqueeze(-1) & batch.branch_mask.unsqueeze(-2)
        gaps = rewards.unsqueeze(-1) - rewards.unsqueeze(-2)
        values = -(torch.nn.functional.logsigmoid(gaps) * better).sum((-1, -2))
        return LossOutput({"pairs": Term(values, batch.weights)}, sums={"batches": torch.ones(())})


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
    ("algo", "pairs"): Component("algo", "pairs", PairConfig, "toy_pairs:PairLoss", "a loss"),
    ("data", "words"): Component("data", "words", WordsConfig, "toy_pairs:Words", "words"),
}
