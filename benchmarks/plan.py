"""What every method of one measurement has in common."""

from __future__ import annotations

from dataclasses import dataclass

from data import make_examples
from shapes import Shape

from prefrun.policy.collate import Example

LOOK_AHEAD = 1
"""Batches beyond the last step: accelerate collates one ahead, and each step shall collate one."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Same weights, data, order, optimizer and number of steps for all methods."""

    shape: Shape
    batch: int
    """Prompts of one optimizer step."""
    rounds: int
    """Steps that are measured."""
    warm_up: int = 1
    """Steps before them."""
    seed: int = 0
    learning_rate: float = 1e-4
    optimizer: str = "adamw_torch_fused"

    @property
    def steps(self) -> int:
        """Optimizer steps in all."""
        return self.warm_up + self.rounds

    def examples(self) -> list[Example]:
        """The data, in the order of training."""
        return make_examples(self.shape, (self.steps + LOOK_AHEAD) * self.batch, self.seed)

    def measured(self) -> list[Example]:
        """The data of the measured steps."""
        return self.examples()[self.warm_up * self.batch : self.steps * self.batch]
