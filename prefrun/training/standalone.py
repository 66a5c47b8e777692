"""Carries out a `StepLoop` outside a run, such as one that makes a start model."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy
import torch
from transformers import PrinterCallback, TrainerCallback

from prefrun.schema import TrainerConfig
from prefrun.training.arguments import training_arguments
from prefrun.training.step_loop import StepLoop
from prefrun.training.step_trainer import StepTrainer

PROCESSES = ("LOCAL_RANK", "RANK", "WORLD_SIZE")
"""Environment variables by which accelerate finds the other processes of a job."""


class StandaloneTrainer(StepTrainer):
    """Writes no log lines."""

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Say nothing; the mean over processes would wait for others that do not train."""


class Shown(TrainerCallback):
    """Tells of each step, and looks at its gradients as in a run."""

    def __init__(self, trainer: StepTrainer, show: Callable[[int, int], None]) -> None:
        self.trainer, self.show = trainer, show

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Refuse gradients that would spoil the weights."""
        self.trainer.check_gradients(rest["model"])

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Count the step."""
        self.trainer.step_is_over()
        self.show(state.global_step, state.max_steps)


def optimise_alone(
    loop: StepLoop,
    settings: TrainerConfig,
    seed: int = 0,
    show: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Train LOOP's modules in place under SETTINGS, without checkpoints or log lines.

    SHOW is called with the steps done and in all. Global random states are as before afterwards.
    Of a job in several processes, only this one trains. Raises PrefrunError if a loss or gradient
    is not finite.
    """
    device = next(next(iter(loop.modules.values())).parameters()).device.type
    with TemporaryDirectory() as folder, _random_states_kept(), _in_one_process():
        arguments = training_arguments(settings, Path(folder), seed, device)
        arguments.save_strategy = "no"
        trainer = StandaloneTrainer(loop=loop, args=arguments, on_empty_step=settings.on_empty_step)
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(Shown(trainer, show))
        trainer.train()
    for module in loop.modules.values():
        module.eval()


@contextmanager
def _random_states_kept() -> Iterator[None]:
    """Keep the global random states, which transformers' trainer sets anew."""
    python, arrays = random.getstate(), numpy.random.get_state()
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            yield
    finally:
        random.setstate(python)
        numpy.random.set_state(arrays)


@contextmanager
def _in_one_process() -> Iterator[None]:
    """Hide the other processes of the job."""
    hidden = {name: os.environ.pop(name) for name in PROCESSES if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)
