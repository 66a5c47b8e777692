"""data=reward_table: prompts whose answers are all known, with random rewards."""

from __future__ import annotations

from random import Random

from prefrun.records.dataset import generated_split
from prefrun.records.split import DataSplit
from prefrun.records.tree import Branch, PreferenceTree, Step
from prefrun_robust.apo_momentum.config import RewardTableConfig

NOTE = "Generated tables: {prompts} held-out prompts with {answers} answers each"


class RewardTable:
    """Makes the same records for the same configuration on every machine."""

    card = """
    Per prompt all its answers, with rewards from a uniform distribution on [0, 1] as scores, and
    normal numbers as the reference's logits in metadata['reference_logits']. One further record is
    for training, which algo=apo_tabular has no use for. Source: the project's own.
    """

    def __init__(self, config: RewardTableConfig) -> None:
        self.config = config

    def load(self, seed: int) -> DataSplit:
        """Generate everything, from SEED unless the configuration has one."""
        if self.config.generator_seed is not None:
            seed = self.config.generator_seed
        draw = Random(f"prefrun/reward table {seed}")
        trees = [self._tree(number, draw) for number in range(self.config.prompts + 1)]
        note = NOTE.format(prompts=self.config.prompts, answers=self.config.answers)
        return generated_split("reward_table", trees[-1:], trees[:-1], note=note)

    def _tree(self, number: int, draw: Random) -> PreferenceTree:
        count = self.config.answers
        branches = tuple(
            Branch((Step(f"answer {place}"),), scores={"overall": draw.random()})
            for place in range(count)
        )
        logits = [draw.gauss(0.0, 1.0) for _ in range(count)]
        return PreferenceTree(
            f"prompt-{number}",
            f"Prompt {number}.",
            branches,
            metadata={"reference_logits": logits},
        )
