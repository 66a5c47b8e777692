"""Tells the run of each training step, and stops after one where a signal asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from transformers import TrainerCallback

from prefrun import signals
from prefrun.training.host_trainer import HostTrainer
from prefrun.training.spread import any_process

SKIPPED_LOGS = ("epoch", "total_flos")


class Listener(Protocol):
    """Who hears of training."""

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Numbers of one step."""

    def step_done(self, step: int, steps: int) -> None:
        """One optimizer step is over."""

    def checkpoint_written(self, step: int, path: Path) -> None:
        """A whole checkpoint is on disk."""


class Observer(TrainerCallback):
    """A transformers callback that forwards to a `Listener`."""

    def __init__(
        self,
        listener: Listener,
        trainer: HostTrainer,
        stop_requested: Callable[[], bool],
        earlier: int = 0,
    ) -> None:
        """STOP_REQUESTED says whether to end after the step, with a checkpoint.

        EARLIER are the steps of the trainings before this one; all steps are counted on.
        """
        self.listener, self.trainer, self.earlier = listener, trainer, earlier
        self.stop_requested = stop_requested

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Refuse gradients that would spoil the weights."""
        self.trainer.check_gradients(rest["model"])

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Count the step; at a signal save and stop; log wherever a checkpoint is written."""
        self.trainer.step_is_over()
        if state.is_world_process_zero:
            self.listener.step_done(
                self.earlier + state.global_step, self.earlier + state.max_steps
            )
        if any_process(self.stop_requested()):  # else one would wait for the others' next step
            control.should_save = control.should_training_stop = True
            signals.request()  # in the processes that got none
        if control.should_save:  # a resumed run then starts with an empty average
            control.should_log = True

    def on_log(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Forward the numbers of one logging step."""
        logs: dict[str, float] = rest.get("logs") or {}
        if state.is_world_process_zero and "loss" in logs:
            metrics = {name: value for name, value in logs.items() if name not in SKIPPED_LOGS}
            self.listener.log(self.earlier + state.global_step, metrics)

    def on_save(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Forward that a checkpoint is whole."""
        if state.is_world_process_zero:
            path = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            self.listener.checkpoint_written(self.earlier + state.global_step, path)
