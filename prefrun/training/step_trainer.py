"""Carries out a `StepLoop`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module, ModuleDict
from torch.utils.data import Dataset
from transformers import TrainingArguments

from prefrun.errors import ConfigError, PluginError
from prefrun.policy.attention.switch import remembering
from prefrun.training.companion import add_to
from prefrun.training.empty_step import NOTHING_WEIGHED
from prefrun.training.host_trainer import HostTrainer
from prefrun.training.output_check import flaw_of_output
from prefrun.training.step_loop import MicroBatch, StepLoop

FILE = "modules.pt"
"""In a checkpoint: what the modules have learned, and the loop's own state."""


class Steps(Dataset[int]):
    """The numbers of the steps."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> int:
        return index


def as_steps(arguments: TrainingArguments, steps: int) -> TrainingArguments:
    """Let one batch of the trainer be one number of STEPS, and return ARGUMENTS."""
    arguments.max_steps = steps
    arguments.per_device_train_batch_size = 1
    arguments.train_sampling_strategy = "sequential"
    return arguments


def recomputing(modules: Mapping[str, Module]) -> list[Any]:
    """Return those of MODULES that can compute activations again."""
    return [each for each in modules.values() if hasattr(each, "activation_checkpointing_enable")]


class Modules(ModuleDict):
    """Several modules as one model."""

    def activation_checkpointing_enable(self, **options: Any) -> None:
        """Switch it on in every module that has it. Raises ConfigError if none has."""
        able = recomputing(dict(self.items()))
        if not able:
            raise ConfigError(
                "trainer.gradient_checkpointing=true does nothing here: nothing that is trained "
                "can compute activations again\n  remedy: leave it out"
            )
        given = options.pop("activation_checkpointing_kwargs", None) or {}
        for module in able:
            how = given | {"context_fn": remembering(module)}
            module.activation_checkpointing_enable(activation_checkpointing_kwargs=how, **options)


class StepTrainer(HostTrainer):
    """Trains the modules of a loop, step by step."""

    def __init__(self, *, loop: StepLoop, args: TrainingArguments, **arguments: Any) -> None:
        """ARGS: under `trainer.*`; the loop's own wishes are put into them."""
        if loop.betas is not None:
            args.adam_beta1, args.adam_beta2 = loop.betas
        super().__init__(
            model=Modules(dict(loop.modules)),
            args=as_steps(args, loop.steps),
            train_dataset=Steps(loop.steps),
            data_collator=lambda numbers: {"step": torch.tensor(numbers)},
            **arguments,
        )
        self.loop = loop
        self._ids: tuple[str, ...] = ()
        self._sums: dict[str, Tensor] = {}

    @property
    def ids(self) -> tuple[str, ...]:
        """The records of the step."""
        return self._ids

    @property
    def rate_key(self) -> str:
        """See `StepLoop.rate_key`."""
        return self.loop.rate_key

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Give each module its learning rate and weight decay."""
        del model
        if self.optimizer is None:
            kind, options = self.get_optimizer_cls_and_kwargs(self.args)
            self.optimizer = kind(self._groups(), **options)
        optimizer: torch.optim.Optimizer = self.optimizer
        return optimizer

    def _groups(self) -> list[dict[str, Any]]:
        groups = []
        for name, module in self.loop.modules.items():
            rate = self.loop.learning_rates.get(name, self.args.learning_rate)
            decay = self.loop.weight_decays.get(name, self.args.weight_decay)
            decayed = set(self.get_decay_parameter_names(module))
            for part, weight_decay in ((True, decay), (False, 0.0)):
                chosen = [
                    value
                    for each, value in module.named_parameters()
                    if value.requires_grad and (each in decayed) is part
                ]
                if chosen:
                    own = {"params": chosen, "weight_decay": weight_decay}
                    groups.append(own | {"lr": 1.0 if self.loop.schedule else rate})
        return groups

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> Any:
        """Follow the loop's own schedule, if it has one."""
        if self.loop.schedule is None:
            return super().create_scheduler(num_training_steps, optimizer)
        if self.lr_scheduler is None:
            chosen: Any = optimizer or self.optimizer
            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(chosen, self.loop.schedule)
            self._created_lr_scheduler = True
        return self.lr_scheduler

    def training_step(
        self, model: Any, inputs: Any, num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        """Go through the parts of a step, forward and backward, and return its loss."""
        del inputs, num_items_in_batch
        number = self.state.global_step
        parts = self.loop.step(number)
        self._ids = tuple(id for part in parts for id in part.ids)
        totals = _totals(self.loop, parts)
        if totals is not None and not any(totals.values()):
            self.report_empty(NOTHING_WEIGHED)
        total = torch.zeros((), device=self.args.device)
        sums: dict[str, Tensor] = {}
        model.train()
        for part in parts:
            output = part.loss()
            problem = flaw_of_output(output, total.device, learns=True)
            if problem:
                raise PluginError(f"{type(self.loop).__name__}.step: its loss {problem}")
            weights = totals
            if weights is None:
                weights = {name: float(term.weights.sum()) for name, term in output.terms.items()}
            if totals is None and not any(weights.values()):
                self.report_empty(NOTHING_WEIGHED)
            shares = [
                (term.values * term.weights).sum() / max(weights[name], 1e-12)
                for name, term in output.terms.items()
            ]
            loss = torch.stack(shares).sum()
            if not torch.isfinite(loss):
                raise self.not_finite("the loss", part.ids)
            self.accelerator.backward(loss)
            total = total + loss.detach()
            self.tokens += part.tokens
            self.keep(output.metrics)
            add_to(sums, output.sums)
        self._sums = sums
        return total

    def step_is_over(self) -> None:
        """Tell the loop that its modules have changed."""
        self.loop.step_done(self.state.global_step - 1, self._sums)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Write what is trained, all buffers and the loop's state."""
        del state_dict
        folder = Path(str(output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        modules = {name: _learned(module) for name, module in self.loop.modules.items()}
        torch.save({"modules": modules, "loop": self.loop.state()}, folder / FILE)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Read them again."""
        del model
        file = Path(resume_from_checkpoint, FILE)
        kept = torch.load(file, weights_only=True, map_location="cpu")
        for name, module in self.loop.modules.items():
            _restore(module, kept["modules"][name])
        self.loop.restore(kept["loop"])


def _totals(loop: StepLoop, parts: Sequence[MicroBatch]) -> dict[str, float] | None:
    """Return the sums of the terms' weights over PARTS; None if the only one does not say them."""
    if len(parts) == 1 and parts[0].weights is None:
        return None
    if not parts or any(part.weights is None for part in parts):
        raise PluginError(
            f"{type(loop).__name__}.step returned {len(parts)} parts: each of several must say its "
            "`weights`, and there must be one"
        )
    totals: dict[str, float] = {}
    for part in parts:
        for name, weight in (part.weights or {}).items():
            totals[name] = totals.get(name, 0.0) + float(weight)
    return totals


def _learned(module: Module) -> dict[str, Tensor]:
    trained = {name: value for name, value in module.named_parameters() if value.requires_grad}
    return {name: value.detach() for name, value in (*trained.items(), *module.named_buffers())}


@torch.no_grad()
def _restore(module: Module, values: Mapping[str, Tensor]) -> None:
    own = dict((*module.named_parameters(), *module.named_buffers()))
    for name, value in values.items():
        own[name].copy_(value)
