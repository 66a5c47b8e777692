"""data=topics: prompts are bags of words of a topic, answers are reward vectors.

The laptop experiment of the method's card: each topic has true weights of K objectives, the
preferred of a prompt's answers has the highest true weighted sum, up to noise. Rewards are
nonnegative with norm 1, so no answer is best in everything and preferred ones show the weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from prefrun.records.dataset import generated_split
from prefrun.records.tree import OVERALL, Branch, PreferenceTree, Step

if TYPE_CHECKING:
    from prefrun.records.split import DataSplit
    from prefrun_orchestrator.config import TopicsConfig

ONSETS, VOWELS = "bdfgklmnprst", "aeiou"
TOPIC_WORDS, COMMON_WORDS = 40, 60
TOPICAL = 0.5
"""Probability that a word is one of the topic's."""
NOTE = "Generated: {topics} topics with true weights of {objectives} objectives; no text answers"


class Topics:
    """Makes the records; every seed is another world."""

    def __init__(self, config: TopicsConfig) -> None:
        self.config = config

    def load(self, seed: int) -> DataSplit:
        """Return training records with noisy preferences and held-out ones with exact ones."""
        config = self.config
        world = _World(config, np.random.default_rng([seed, 1]))
        train = world.records("train", config.train_records, config.noise, seed)
        test = world.records("test", config.test_records, 0.0, seed)
        note = NOTE.format(topics=config.topics, objectives=config.objectives)
        return generated_split("topics", train, test, note=note)


class _World:
    def __init__(self, config: TopicsConfig, random: np.random.Generator) -> None:
        self.config = config
        alpha = [config.concentration] * config.objectives
        self.weights = random.dirichlet(alpha, size=config.topics)
        words = _words(COMMON_WORDS + TOPIC_WORDS * config.topics, random)
        self.common = words[:COMMON_WORDS]
        self.own = [
            words[COMMON_WORDS + TOPIC_WORDS * topic :][:TOPIC_WORDS]
            for topic in range(config.topics)
        ]
        self.scales = np.array(config.scales or [1.0] * config.objectives)
        self.offsets = np.array(config.offsets or [0.0] * config.objectives)

    def records(self, part: str, count: int, noise: float, seed: int) -> list[PreferenceTree]:
        random = np.random.default_rng([seed, 2 if part == "train" else 3])
        return [self._record(f"{part}-{number}", noise, random) for number in range(1, count + 1)]

    def _record(self, id: str, noise: float, random: np.random.Generator) -> PreferenceTree:
        config, topic = self.config, int(random.integers(self.config.topics))
        prompt = " ".join(
            str(random.choice(self.own[topic] if random.random() < TOPICAL else self.common))
            for _ in range(config.tokens)
        )
        rewards = np.abs(random.normal(size=(config.candidates, config.objectives)))
        rewards /= np.linalg.norm(rewards, axis=1, keepdims=True)
        utility = rewards @ self.weights[topic] + noise * random.normal(size=config.candidates)
        branches = tuple(
            self._branch(number, row, float(value))
            for number, (row, value) in enumerate(zip(rewards, utility, strict=True), start=1)
        )
        metadata = {"topic": f"topic {topic + 1}", "true_weights": self.weights[topic].tolist()}
        return PreferenceTree(id, prompt, branches, metadata=metadata)

    def _branch(self, number: int, rewards: np.ndarray, utility: float) -> Branch:
        seen = rewards * self.scales + self.offsets
        scores = {f"r{k}": float(reward) for k, reward in enumerate(seen, start=1)}
        return Branch((Step(f"answer {number}"),), {OVERALL: utility, **scores})


def _words(count: int, random: np.random.Generator) -> list[str]:
    """Return COUNT different made-up words of three syllables."""
    found: dict[str, None] = {}
    while len(found) < count:
        letters = [str(random.choice(list(part))) for _ in range(3) for part in (ONSETS, VOWELS)]
        found["".join(letters)] = None
    return list(found)
