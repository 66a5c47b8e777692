"""What an algorithm that owns its run says of a training, for the host to carry it out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from prefrun.algorithm import LossOutput


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """A part of a step that goes forward and backward at once."""

    loss: Callable[[], LossOutput]
    """Called once, with gradient."""
    weights: Mapping[str, float] | None = None
    """Per term, the sum of its weights in this part, known before the loss; None if the step has
    one part only. The host divides by the sum over all parts, so that parts change no result."""
    ids: tuple[str, ...] = ()
    """The records in it, for error messages."""
    tokens: int = 0
    """Distinct tokens that go through a model."""


class StepLoop(ABC):
    """A training in optimizer steps: see `Services.optimise`.

    The host owns optimizer, schedule, clipping, means over micro-batches, the guard against losses
    and gradients that are not finite, progress, log lines, checkpoints, resuming and signals, all
    under the run's `trainer.*` keys.
    """

    name: str = ""
    """Of this training, if a run has several; its checkpoints are in checkpoints/NAME."""
    modules: Mapping[str, Module]
    """What is trained: the parameters with `requires_grad`. A checkpoint holds them and all
    buffers. In training mode during a step, in evaluation mode afterwards."""
    steps: int
    """Optimizer steps in all."""
    learning_rates: Mapping[str, float] = {}
    """By module; of the others trainer.learning_rate."""
    weight_decays: Mapping[str, float] = {}
    """By module; of the others trainer.weight_decay. Biases and norms have none."""
    betas: tuple[float, float] | None = None
    """Of Adam; None = those of trainer.optimizer."""
    schedule: Callable[[int], float] | None = None
    """The learning rate of each step, from 0, in place of the trainer's and its scheduler."""
    rate_key: str = "trainer.learning_rate"
    """The key of the learning rate, for errors."""
    is_part: bool = False
    """Whether it only prepares the run's training: its steps are not counted or logged."""

    @abstractmethod
    def step(self, number: int) -> Sequence[MicroBatch]:
        """Return step NUMBER, from 0, in parts.

        It may depend on the modules as they are and on what `state` keeps. Random numbers should
        follow NUMBER; torch's global ones are those of an uninterrupted run after a resume, too.
        """

    def step_done(self, number: int, sums: Mapping[str, Tensor]) -> None:
        """Hear that step NUMBER has changed the modules; SUMS are those of its outputs."""
        del number, sums

    def state(self) -> dict[str, Any]:
        """Return what else a resumed training needs: tensors, numbers, texts, lists, mappings."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` returned."""
        del state
