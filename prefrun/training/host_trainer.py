"""transformers.Trainer with what every training of the host has: guards, means, whole checkpoints.

A subclass says what a step is, and what a checkpoint holds beside the weights.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import Trainer

from prefrun.rundir.files import write_json
from prefrun.rundir.progress import PROGRESS, STAGING, Progress, keep_newest
from prefrun.schema import ERROR
from prefrun.training.disk import reporting_full_disk
from prefrun.training.empty_step import EmptySteps
from prefrun.training.finite import NonFiniteError, complaint
from prefrun.training.spread import means


class HostTrainer(Trainer):
    """What all trainings have in common."""

    def __init__(self, *, on_empty_step: str = ERROR, **arguments: Any) -> None:
        """ON_EMPTY_STEP: 'error' or 'warn', at a step that teaches nothing."""
        super().__init__(**arguments)
        self.tokens = 0
        """Distinct tokens this process has trained on."""
        self.empty_steps = EmptySteps(on_empty_step)
        self.progress = Progress()
        """What a checkpoint says of the run: see `prefrun.rundir.progress.Progress`."""
        self._metrics: dict[str, list[float]] = defaultdict(list)
        self._totals: dict[str, Tensor] = {}
        self._staging = False
        self.all_checkpoints = self._root
        """The folder below which trainer.keep_checkpoints counts."""
        self.run_folder = self._root.parent
        """Of the run directory, for error messages."""

    @property
    def _root(self) -> Path:
        """Folder of the checkpoints."""
        return Path(str(self.args.output_dir))

    @property
    def ids(self) -> tuple[str, ...]:
        """The records of the step, of this process."""
        return ()

    @property
    def rate_key(self) -> str:
        """What the user lowers if training diverges."""
        return "trainer.learning_rate"

    @property
    def own_parameters(self) -> list[Tensor]:
        """What is trained beside the model."""
        return []

    def report_empty(self, reason: str) -> None:
        """Raise DataError or warn; every process must come here."""
        step = self.state.global_step + 1
        self.empty_steps.report(step, self.ids, reason, self.is_world_process_zero())

    def not_finite(self, what: str, ids: tuple[str, ...]) -> NonFiniteError:
        """Return the error that WHAT is NaN or infinite."""
        step = self.state.global_step + 1
        return NonFiniteError(complaint(what, step, ids, self._root, self.rate_key))

    def keep(self, metrics: Mapping[str, Tensor]) -> None:
        """Remember a micro-batch's METRICS for the next log line."""
        for name, value in metrics.items():
            self._metrics[name].append(float(value))

    def check_gradients(self, model: Any) -> None:
        """Look at the gradients before an optimizer step.

        Raises NonFiniteError if they would spoil the weights, DataError if they are 0 because the
        records allow no other.
        """
        weights = [*model.parameters(), *self.own_parameters]
        norms = [p.grad.norm() for p in weights if p.grad is not None]
        if not norms:
            return
        lengths = torch.stack(norms)
        if not torch.isfinite(lengths).all():
            raise self.not_finite("a gradient", self.ids)
        is_zero = not (lengths > 0).any()
        self.empty_steps.count_gradient(is_zero)
        if is_zero:
            self.gradient_is_zero()

    def gradient_is_zero(self) -> None:
        """Report a step whose gradient is 0, if the records are to blame."""

    def step_is_over(self) -> None:
        """Do what follows an optimizer step."""

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the metrics, averaged since the last line and over processes."""
        logs |= means(self._metrics)
        self._metrics.clear()
        super().log(logs, start_time)

    def restore(self, checkpoint: Path) -> None:
        """Read the weights of a training that is over, and torch's random state at its end."""
        self._load_from_checkpoint(str(checkpoint))
        self._load_rng_state(str(checkpoint))

    def save_beside(self, folder: Path) -> None:
        """Write into a checkpoint what belongs to it beside the model's weights."""

    def _get_output_dir(self, trial: Any) -> str:
        folder = super()._get_output_dir(trial)
        return os.path.join(folder, STAGING) if self._staging else folder

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Write the checkpoint aside, then rename it: a folder named checkpoint-N is whole."""
        root = self._root
        name = f"checkpoint-{self.state.global_step}"
        with self._stage(root):
            super()._save_checkpoint(model, trial)
            if self.args.should_save:
                staged = root / STAGING / name
                self.save_beside(staged)
                write_json(staged / PROGRESS, self.progress.at(self.state.global_step))
            self.accelerator.wait_for_everyone()  # each process writes a file of its own
        if self.args.should_save and not (root / name).exists():
            os.replace(root / STAGING / name, root / name)
            shutil.rmtree(root / STAGING)
            keep_newest(self.all_checkpoints, self.args.save_total_limit or 1)
        self.accelerator.wait_for_everyone()

    @contextlib.contextmanager
    def _stage(self, root: Path) -> Iterator[None]:
        if self.args.should_save:
            shutil.rmtree(root / STAGING, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        self._staging = True
        try:
            with reporting_full_disk(root / STAGING, self.run_folder):
                yield
        finally:
            self._staging = False
