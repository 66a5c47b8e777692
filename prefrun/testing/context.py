"""A stand-in for a run's evaluation: random policies and a simple judge, without a model."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path

import torch

from prefrun.policy.policy import BranchLogps, Policy, Sample
from prefrun.records.tree import PreferenceTree
from prefrun.reward import Reward
from prefrun.testing.trees import WORDS, make_trees


class RandomPolicy:
    """Implements `Policy`: answers are random words, tokens are words. Made from its seed only."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def sample(
        self,
        trees: Sequence[PreferenceTree],
        n: int,
        max_new_tokens: int,
        temperature: float,
        top_p: float = 1.0,
        stop: Sequence[str] = (),
        seed: int = 0,
    ) -> list[list[Sample]]:
        """Return N times up to MAX_NEW_TOKENS words per tree; they know no stop strings."""
        del temperature, top_p, stop
        return [
            [self._sample(tree, number, max_new_tokens, seed) for number in range(n)]
            for tree in trees
        ]

    def _sample(self, tree: PreferenceTree, number: int, max_new_tokens: int, seed: int) -> Sample:
        draw = random.Random(f"{self._seed} {seed} {tree.id}" + (f" {number}" if number else ""))
        words = draw.choices(WORDS, k=draw.randint(1, max_new_tokens))
        text = " ".join(words)
        ids = tuple(WORDS.index(word) for word in words)
        return Sample(text, ids, self._logps(tree, text), ended=len(words) < max_new_tokens)

    def generate(
        self, trees: Sequence[PreferenceTree], max_new_tokens: int, temperature: float, seed: int
    ) -> list[str]:
        """Return the first sample's text per tree."""
        samples = self.sample(trees, 1, max_new_tokens, temperature, seed=seed)
        return [sample.text for (sample,) in samples]

    def logps(self, trees: Sequence[PreferenceTree]) -> list[BranchLogps]:
        """Return one number below 0 per word of each branch."""
        return [
            BranchLogps(tuple(self._logps(tree, branch.text) for branch in tree.branches))
            for tree in trees
        ]

    def _logps(self, tree: PreferenceTree, text: str) -> torch.Tensor:
        draw = random.Random(f"{self._seed} {tree.id} {text}")
        return torch.tensor([-0.05 - 3 * draw.random() for _ in text.split()])

    def kl(
        self, trees: Sequence[PreferenceTree], responses: Sequence[str], other: Policy
    ) -> list[float]:
        """Return a number of at least 0 per response; 0 from itself."""
        if other is self:
            return [0.0] * len(trees)
        return [0.1 * count for count in self.count_tokens(responses)]

    def count_tokens(self, responses: Sequence[str]) -> list[int]:
        """Return the number of words of each response."""
        return [len(response.split()) for response in responses]


class WordReward:
    """Implements `Reward`: counts short words, less for every further word."""

    name = "short words"

    def score(self, trees: Sequence[PreferenceTree], responses: Sequence[str]) -> list[float]:
        """Return one score per response."""
        del trees
        return [
            sum(len(word) <= 3 for word in response.split()) - math.sqrt(len(response.split()))
            for response in responses
        ]


class RandomContext:
    """Implements `EvaluationContext` with two policies that differ, or with one twice."""

    objective = "overall"
    seed = 0
    bootstrap = 50
    folder: Path | None = None
    """Set it where an evaluator is to keep files."""

    def __init__(self, trees: int = 12, *, untrained: bool = False) -> None:
        """UNTRAINED: policy and baseline are the same object, as before a run."""
        self.trees: Sequence[PreferenceTree] = make_trees(trees)
        self.baseline: Policy = RandomPolicy(0)
        self.policy: Policy = self.baseline if untrained else RandomPolicy(1)
        self.reward: Reward = WordReward()

    def responses(self) -> list[str]:
        """One answer of the policy per tree."""
        return self.policy.generate(self.trees, 12, 1.0, self.seed)

    def baseline_responses(self) -> list[str]:
        """The same of the baseline."""
        return self.baseline.generate(self.trees, 12, 1.0, self.seed)

    def rewards(self) -> list[float]:
        """Score of each of `responses()`."""
        return self.reward.score(self.trees, self.responses())

    def baseline_rewards(self) -> list[float]:
        """Score of each of `baseline_responses()`."""
        return self.reward.score(self.trees, self.baseline_responses())

    def logps(self) -> list[BranchLogps]:
        """Log-probs of the records' own answers under the policy."""
        return self.policy.logps(self.trees)

    def baseline_logps(self) -> list[BranchLogps]:
        """The same under the baseline."""
        return self.baseline.logps(self.trees)
