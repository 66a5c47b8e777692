"""Carries out a `StepLoop` outside a run, such as one that makes a start model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from transformers import PrinterCallback, TrainerCallback

from prefrun.schema import TrainerConfig
from prefrun.training.arguments import training_arguments
from prefrun.training.step_loop import StepLoop
from prefrun.training.step_trainer import StepTrainer


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

    SHOW is called with the steps done and in all. torch's global random state is as before
    afterwards. Raises PrefrunError if a loss or gradient is not finite.
    """
    device = next(next(iter(loop.modules.values())).parameters()).device.type
    with TemporaryDirectory() as folder, torch.random.fork_rng():
        arguments = training_arguments(settings, Path(folder), seed, device)
        arguments.save_strategy = "no"
        trainer = StepTrainer(loop=loop, args=arguments, on_empty_step=settings.on_empty_step)
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(Shown(trainer, show))
        trainer.train()
    for module in loop.modules.values():
        module.eval()
