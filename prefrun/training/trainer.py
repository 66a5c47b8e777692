"""Trains a model of any kind with a loss over batches of preference trees."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from prefrun.algorithm import LossAlgorithm
from prefrun.models.kind import ModelKind, Reference
from prefrun.needs import REFERENCE
from prefrun.policy.adapter import loading_adapters
from prefrun.policy.collate import branch_batch
from prefrun.training.companion import Companion
from prefrun.training.empty_step import NO_GRADIENT, NOTHING_WEIGHED, can_teach
from prefrun.training.host_trainer import HostTrainer
from prefrun.training.joint import NUMBERS, differentiable, join, results_of, share, slopes_by
from prefrun.training.output_check import output_of
from prefrun.training.spread import any_process, backward, in_step_with_others
from prefrun.training.step import collate_step
from prefrun.training.weighing import share_of_step, weigh


class PreferenceTrainer(HostTrainer):
    """Trains a model with a `LossAlgorithm`.

    A step's batch comes from `collate_step`, in one or more forward passes. Each term's mean is
    taken over the whole optimizer step: its weights are summed over all passes and processes
    first, so neither the passes nor DDP change the loss.
    """

    def __init__(
        self,
        *,
        kind: ModelKind,
        algorithm: LossAlgorithm,
        budget: int,
        order: list[int] | None = None,
        **arguments: Any,
    ) -> None:
        """BUDGET: the size of a forward pass, `trainer.micro_batch_tokens`.

        ORDER are the indices of the records to train on, one after the other; None = shuffle.
        """
        super().__init__(
            model=kind.module,
            data_collator=lambda examples: collate_step(
                kind, examples, budget, algorithm.batch_coupled
            ),
            **arguments,
        )
        self.kind, self.algorithm = kind, algorithm
        self.companion = Companion(algorithm, kind)
        self._order = order
        self._step: list[dict[str, Any]] = []

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
        given, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        batches = self.take(given)
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
            self.report_empty(NOTHING_WEIGHED)
        return batches, None

    def take(self, batches: list[Any]) -> list[Any]:
        """Return what the step is made of: BATCHES, as the collator made them."""
        return batches

    @property
    def ids(self) -> tuple[str, ...]:
        """The records of the step, of this process."""
        return tuple(id for inputs in self._step for id in inputs["ids"])

    @property
    def own_parameters(self) -> list[Tensor]:
        """The algorithm's."""
        return self.companion.parameters

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
        self._draw(joint, passes)
        needs = self.algorithm.needs
        self.tokens += step["tokens"]
        rehearsals, real = (passes if joint else []), len(passes)
        if self.is_fsdp_enabled or self.is_deepspeed_enabled:
            rehearsals, passes = in_step_with_others(bool(joint), passes)
        with torch.no_grad():
            rehearsed = [results_of(self.kind, model, part, needs) for part in rehearsals]
        total = torch.zeros((), device=self.args.device)
        if joint:
            total, slopes = self._joint_loss(joint, join(joint, passes[:real], rehearsed[:real]))
        for number, part in enumerate(passes):
            last = number == len(passes) - 1
            with contextlib.nullcontext() if last else self.accelerator.no_sync(model):
                if joint:
                    loss = share(part, results_of(self.kind, model, part, needs), slopes)
                else:
                    results = self.kind.forward(model, part, needs)
                    loss = self._loss(part, *results, counts=number < real)
                    total = total + loss.detach() * (number < real)
                backward(self, loss * (number < real), last)
        self.companion.end_step(self.accelerator)
        return total

    def _draw(self, joint: dict[str, Any] | None, passes: list[dict[str, Any]]) -> None:
        """Let the model draw what is random in each pass; ask a reference that sees the same."""
        seed = (self.args.seed * 1_000_003 + self.state.global_step) * 1009
        for number, part in enumerate(passes):
            rank_seed = (seed + number) * 1009 + self.args.process_index
            generator = torch.Generator().manual_seed(rank_seed % 2**63)
            if drawn := self.kind.draw(part, generator):
                part |= self._prepare_inputs(dict(drawn))
        if self.kind.reference is not Reference.in_step or REFERENCE not in self.algorithm.needs:
            return
        with torch.no_grad():
            numbers = [self.kind.reference_forward(part) for part in passes]
        for part, values in zip(passes, numbers, strict=True):
            part["reference_token_logps"] = values
        if joint:
            whole = [
                {NUMBERS: v.flatten()[p["slot"]]} for p, v in zip(passes, numbers, strict=True)
            ]
            joint["reference_token_logps"] = join(joint, passes, whole)[NUMBERS]

    def _joint_loss(
        self, joint: dict[str, Any], whole: dict[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss over all passes, and its gradient by what they gave."""
        for name in differentiable(whole):
            whole[name].requires_grad_()
        extras = {name: values for name, values in whole.items() if name != NUMBERS}
        loss = self._loss(joint, whole[NUMBERS], extras)
        return loss.detach(), slopes_by(loss, whole, self.companion.parameters)

    def _loss(
        self,
        inputs: dict[str, Any],
        numbers: Tensor,
        extras: dict[str, Tensor],
        counts: bool = True,
    ) -> Tensor:
        """Return these records' share of the step's loss; a pass that COUNTS leaves its numbers."""
        batch = branch_batch(inputs, numbers, extras)
        output = output_of(self.algorithm, batch)
        # DDP averages gradients over processes; the totals already span them
        loss: Tensor = share_of_step(self.algorithm, output, self._totals) * self.args.world_size
        if not torch.isfinite(loss):
            raise self.not_finite("the loss", batch.ids)
        if counts:
            self.companion.add(output.sums)
            self.keep(output.metrics)
        return loss

    def gradient_is_zero(self) -> None:
        """Report the step if the loss of its records has a gradient at no numbers."""
        if any(self._totals.values()):
            own = (self.companion.hidden_size, self.companion.parameters)
            if not any_process(can_teach(self.algorithm, self._step, *own)):
                self.report_empty(NO_GRADIENT)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Read the model's weights and the algorithm's own."""
        with loading_adapters(self.model if model is None else model):
            super()._load_from_checkpoint(resume_from_checkpoint, model)
        self.companion.load(Path(resume_from_checkpoint))

    def save_beside(self, folder: Path) -> None:
        """Write the algorithm's own module."""
        self.companion.save(folder)
