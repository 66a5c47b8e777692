"""A loss that is trained through stages of its records, one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from prefrun import ConfigError
from prefrun.algorithm import LossAlgorithm, LossOutput
from prefrun.policy.batch import BranchBatch
from prefrun.records.tree import PreferenceTree

STAGE = "stage"
"""Key in a record's metadata: its stage, from 0."""


class Staged(LossAlgorithm):
    """The loss BASE, in an order of its own."""

    def __init__(self, base: LossAlgorithm, stages: int) -> None:
        super().__init__(base.config)
        self.base, self.stages = base, stages
        self.needs = base.needs
        self.min_branches = base.min_branches
        self.batch_coupled = base.batch_coupled
        self.module_learning_rate = base.module_learning_rate

    def prepare(self, trees: Sequence[PreferenceTree], seed: int) -> list[PreferenceTree]:
        """Prepare the records as the base does."""
        return self.base.prepare(trees, seed)

    def order(self, trees: Sequence[PreferenceTree], count: int, seed: int) -> list[int]:
        """Return COUNT indices: an equal share for each stage, shuffled within it.

        Raises ConfigError where the base's own records do not say to which stage they belong.
        """
        places: list[list[int]] = [[] for _ in range(self.stages)]
        for place, tree in enumerate(trees):
            if STAGE not in tree.metadata:
                raise ConfigError(
                    f"algo.base makes records of its own ({tree.id}), which have no stage\n"
                    "  remedy: algo.reference=previous, or another algo.base"
                )
            places[tree.metadata[STAGE]].append(place)
        filled = [stage for stage in places if stage]
        draw = torch.Generator().manual_seed(seed)
        result: list[int] = []
        for number, stage in enumerate(filled, 1):
            end = count * number // len(filled)
            while len(result) < end:
                shuffled = torch.randperm(len(stage), generator=draw).tolist()
                result += [stage[place] for place in shuffled][: end - len(result)]
        return result

    def make_module(self, hidden_size: int) -> torch.nn.Module | None:
        """Make the base's own."""
        self.base.module = self.base.make_module(hidden_size)
        return self.base.module

    def step_done(self, sums: Mapping[str, Tensor]) -> None:
        """Hand the base its sums."""
        self.base.step_done(sums)

    def loss(self, batch: BranchBatch) -> LossOutput:
        """Return the base's loss."""
        return self.base.loss(batch)
