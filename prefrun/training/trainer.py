"""transformers.Trainer over batches of preference trees, with exact means and whole checkpoints."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import Trainer
from transformers.trainer_utils import rotate_checkpoints

from prefrun.algorithm import LossAlgorithm
from prefrun.policy.adapter import loading_adapters
from prefrun.policy.collate import STEP_EMBEDDINGS, branch_batch
from prefrun.policy.logprobs import token_logprobs
from prefrun.schema import ERROR
from prefrun.training.companion import Companion
from prefrun.training.disk import reporting_full_disk
from prefrun.training.empty_step import NO_GRADIENT, NOTHING_WEIGHED, EmptySteps, can_teach
from prefrun.training.finite import NonFiniteError, complaint
from prefrun.training.joint import LOGPS, join, results_of, share, slopes_by
from prefrun.training.output_check import output_of
from prefrun.training.spread import any_process, backward, in_step_with_others, means
from prefrun.training.weighing import share_of_step, weigh

STAGING = "incomplete"
"""Folder below checkpoints/ that holds a checkpoint until it is whole."""


class PreferenceTrainer(Trainer):
    """Trains a policy with a `LossAlgorithm`.

    A step's batch comes from `collate_step`, in one or more forward passes. Each term's mean is
    taken over the whole optimizer step: its weights are summed over all passes and processes
    first, so neither the passes nor DDP change the loss.
    """

    def __init__(
        self,
        *,
        algorithm: LossAlgorithm,
        order: list[int] | None = None,
        on_empty_step: str = ERROR,
        **arguments: Any,
    ) -> None:
        """ORDER are the indices of the records to train on, one after the other; None = shuffle.

        ON_EMPTY_STEP: 'error' or 'warn', at a step that teaches nothing.
        """
        super().__init__(**arguments)
        self.algorithm = algorithm
        self.companion = Companion(algorithm, self.model)
        self.tokens = 0
        """Distinct tokens this process has trained on."""
        self._totals: dict[str, Tensor] = {}
        self._metrics: dict[str, list[float]] = defaultdict(list)
        self._order, self._staging = order, False
        self._step: list[dict[str, Any]] = []
        self.empty_steps = EmptySteps(on_empty_step)

    @property
    def _root(self) -> Path:
        """Folder of the checkpoints."""
        return Path(str(self.args.output_dir))

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        """Follow the algorithm's order, where it has one."""
        return self._order or super()._get_train_sampler(train_dataset)

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Train the algorithm's own parameters, too."""
        is_new = self.optimizer is None
        optimizer: torch.optim.Optimizer = super().create_optimizer(model)
        if is_new:
            self.companion.join(optimizer, self.args.learning_rate)
        return optimizer

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], None]:
        """Take one optimizer step's batch and weigh its terms."""
        batches, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        self._step = [
            self._prepare_inputs(part)
            for inputs in batches
            for part in ([inputs["joint"]] if inputs["joint"] else inputs["passes"])
        ]
        self._totals = weigh(self.algorithm, self._step, self.companion.hidden_size)
        if self.args.world_size > 1:
            reduce = self.accelerator.reduce
            self._totals = {name: reduce(each, "sum") for name, each in self._totals.items()}
        if self._step and not any(self._totals.values()):
            self._report_empty(NOTHING_WEIGHED)
        return batches, None

    @property
    def _ids(self) -> tuple[str, ...]:
        """The records of the step, of this process."""
        return tuple(id for inputs in self._step for id in inputs["ids"])

    def _report_empty(self, reason: str) -> None:
        """Raise DataError or warn; every process must come here."""
        step = self.state.global_step + 1
        self.empty_steps.report(step, self._ids, reason, self.is_world_process_zero())

    def training_step(
        self,
        model: Any,
        inputs: dict[str, Any],
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """Run a step's passes, forward and backward, and return its loss. Raises NonFiniteError."""
        del num_items_in_batch
        model.train()
        self.companion.begin_step()
        step: dict[str, Any] = self._prepare_inputs(inputs)
        joint, passes = step["joint"], step["passes"]
        self.tokens += step["tokens"]
        rehearsals, real = (passes if joint else []), len(passes)
        if self.is_fsdp_enabled or self.is_deepspeed_enabled:
            rehearsals, passes = in_step_with_others(bool(joint), passes)
        with torch.no_grad():
            rehearsed = [results_of(model, part, self.algorithm.needs) for part in rehearsals]
        total = torch.zeros((), device=self.args.device)
        if joint:
            total, slopes = self._joint_loss(joint, join(joint, passes[:real], rehearsed[:real]))
        for number, part in enumerate(passes):
            last = number == len(passes) - 1
            with contextlib.nullcontext() if last else self.accelerator.no_sync(model):
                if joint:
                    loss = share(part, results_of(model, part, self.algorithm.needs), slopes)
                else:
                    results = token_logprobs(model, part, self.algorithm.needs)
                    loss = self._loss(part, *results, counts=number < real)
                    total = total + loss.detach() * (number < real)
                backward(self, loss * (number < real), last)
        self.companion.end_step(self.accelerator)
        return total

    def _joint_loss(
        self, joint: dict[str, Any], whole: dict[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss over all passes, and its slopes by what they gave."""
        for name in {LOGPS, STEP_EMBEDDINGS} & whole.keys():
            whole[name].requires_grad_()
        extras = {name: values for name, values in whole.items() if name != LOGPS}
        loss = self._loss(joint, whole[LOGPS], extras)
        return loss.detach(), slopes_by(loss, whole, self.companion.parameters)

    def _loss(
        self,
        inputs: dict[str, Any],
        logps: Tensor,
        extras: dict[str, Tensor],
        counts: bool = True,
    ) -> Tensor:
        """Return these records' share of the step's loss; a pass that COUNTS leaves its numbers."""
        batch = branch_batch(inputs, logps, extras)
        output = output_of(self.algorithm, batch)
        # DDP averages gradients over processes; the totals already span them
        loss: Tensor = share_of_step(self.algorithm, output, self._totals) * self.args.world_size
        if not torch.isfinite(loss):
            raise self._not_finite("the loss", batch.ids)
        if counts:
            self.companion.add(output.sums)
            for name, value in output.metrics.items():
                self._metrics[name].append(float(value))
        return loss

    def _not_finite(self, what: str, ids: tuple[str, ...]) -> NonFiniteError:
        return NonFiniteError(complaint(what, self.state.global_step + 1, ids, self._root))

    def check_gradients(self, model: Any) -> None:
        """Look at the gradients before an optimizer step.

        Raises NonFiniteError if they would spoil the weights, DataError if they are 0 because the
        records allow no other.
        """
        weights = [*model.parameters(), *self.companion.parameters]
        norms = [p.grad.norm() for p in weights if p.grad is not None]
        if not norms:
            return
        lengths = torch.stack(norms)
        if not torch.isfinite(lengths).all():
            raise self._not_finite("a gradient", self._ids)
        is_zero = not (lengths > 0).any()
        self.empty_steps.count_gradient(is_zero)
        if is_zero and any(self._totals.values()):
            own = (self.companion.hidden_size, self.companion.parameters)
            if not any_process(can_teach(self.algorithm, self._step, *own)):
                self._report_empty(NO_GRADIENT)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the algorithm's metrics, averaged since the last line and over processes."""
        logs |= means(self._metrics)
        self._metrics.clear()
        super().log(logs, start_time)

    def restore(self, checkpoint: Path) -> None:
        """Read the weights of a training that is over."""
        self._load_from_checkpoint(str(checkpoint))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Read the policy's weights and the algorithm's own."""
        with loading_adapters(self.model if model is None else model):
            super()._load_from_checkpoint(resume_from_checkpoint, model)
        self.companion.load(Path(resume_from_checkpoint))

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
                self.companion.save(root / STAGING / name)
            self.accelerator.wait_for_everyone()  # each process writes a file of its own
        if self.args.should_save and not (root / name).exists():
            os.replace(root / STAGING / name, root / name)
            shutil.rmtree(root / STAGING)
            rotate_checkpoints(
                output_dir=str(root), save_total_limit=self.args.save_total_limit, use_mtime=True
            )
        self.accelerator.wait_for_everyone()

    @contextlib.contextmanager
    def _stage(self, root: Path) -> Iterator[None]:
        if self.args.should_save:
            shutil.rmtree(root / STAGING, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        self._staging = True
        try:
            with reporting_full_disk(root / STAGING, root.parent):
                yield
        finally:
            self._staging = False
