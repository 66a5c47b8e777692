"""Stage 1: trains an adapter on target weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from prefrun.algorithm import LossOutput, Term
from prefrun.training.step_loop import MicroBatch, StepLoop
from prefrun_orchestrator.adapter import Adapter
from prefrun_orchestrator.weights import adapter_loss

LEARNING_RATES = {"hf": 2e-5, "hash": 0.02}


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How an adapter is trained, beside the trainer's optimizer and clipping."""

    learning_rate: float
    weight_decay: float
    batch_size: int
    epochs: float
    warmup: float
    direction: str
    entropy_coef: float

    @classmethod
    def of(cls, config: Any) -> FitSettings:
        """Take them from an OrchestratorConfig."""
        return cls(
            learning_rate=config.learning_rate or LEARNING_RATES[config.encoder.name],
            weight_decay=config.weight_decay,
            batch_size=config.batch_size,
            epochs=config.epochs,
            warmup=config.warmup,
            direction=config.kl_direction.name,
            entropy_coef=config.entropy_coef,
        )


class AdapterFit(StepLoop):
    """Trains an adapter so that prompts get given weights; a linear schedule with warm-up."""

    name = "adapter"

    def __init__(
        self,
        adapter: Adapter,
        texts: Sequence[str],
        log_target: Tensor,
        settings: FitSettings,
        seed: int,
        is_part: bool,
    ) -> None:
        """The prompts TEXTS are to get the weights exp(LOG_TARGET) [N, K].

        They are shuffled in every epoch by SEED. IS_PART: whether a policy is trained afterwards.
        """
        self.texts, self.log_target, self.settings = texts, log_target, settings
        self.seed, self.is_part = seed, is_part
        self.modules = {"adapter": adapter}
        self.weight_decays = {"adapter": settings.weight_decay}
        self.schedule = self._rate
        per_epoch = math.ceil(len(texts) / settings.batch_size)
        self.steps = max(1, round(settings.epochs * per_epoch))
        shuffle = torch.Generator().manual_seed(seed)
        self._batches: list[list[int]] = []
        while len(self._batches) < self.steps:
            order = torch.randperm(len(texts), generator=shuffle).tolist()
            starts = range(0, len(order), settings.batch_size)
            self._batches += [order[start : start + settings.batch_size] for start in starts]

    def step(self, number: int) -> list[MicroBatch]:
        """Take the prompts of step NUMBER."""
        if number == 0:
            torch.manual_seed(self.seed)  # dropout of a transformers encoder
        return [MicroBatch(partial(self._loss, self._batches[number]))]

    def _rate(self, step: int) -> float:
        """Return the learning rate of STEP: up over the warm-up, then down to 0."""
        warmup = round(self.settings.warmup * self.steps)
        if step < warmup:
            return self.settings.learning_rate * (step / warmup)
        left = (self.steps - step) / max(1, self.steps - warmup)
        return self.settings.learning_rate * max(0.0, left)

    def _loss(self, batch: list[int]) -> LossOutput:
        logits = self.modules["adapter"]([self.texts[index] for index in batch])
        settings = self.settings
        target = self.log_target[batch].to(logits)
        values = adapter_loss(logits, target, settings.direction, settings.entropy_coef)
        term = Term(values, torch.ones_like(values))
        return LossOutput({"adapter": term}, {"adapter/loss": values.detach().mean()})
