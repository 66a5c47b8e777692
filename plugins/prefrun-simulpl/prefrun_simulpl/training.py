"""What the optimisation of both phases has in common; the host carries it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from torch import Tensor

from prefrun.algorithm import LossOutput, Term

BETAS = (0.9, 0.98)
"""Of Adam, as fairseq's translation recipes have them."""


def output(phase: str, loss: Tensor, metrics: Mapping[str, Tensor]) -> LossOutput:
    """Return the LOSS of a step, a scalar, and what is logged of it, named after the PHASE."""
    logged = {"loss": loss, **metrics}
    return LossOutput(
        {phase: Term(loss[None], loss.new_ones(1))},
        {f"{phase}/{name}": value.detach() for name, value in logged.items()},
    )


def shuffled(count: int, epoch: int, seed: int) -> list[int]:
    """Return 0..COUNT-1 in the random order of EPOCH."""
    order = list(range(count))
    Random(f"{seed} {epoch}").shuffle(order)
    return order


def inverse_square_root(peak: float, warmup: int) -> Callable[[int], float]:
    """Return the learning rate by step, from 0: linear to PEAK, then as 1 / sqrt(step)."""
    ramp = max(warmup, 1)
    return lambda step: peak * min((step + 1) / ramp, (ramp / (step + 1)) ** 0.5)
