"""Stage 1: trains an adapter on target weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import get_linear_schedule_with_warmup

from prefrun.errors import PrefrunError
from prefrun_orchestrator.adapter import Adapter
from prefrun_orchestrator.weights import adapter_loss

LEARNING_RATES = {"hf": 2e-5, "hash": 0.02}
CLIP = 1.0
"""Largest norm of the gradient."""


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How an adapter is trained."""

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


def fit(
    adapter: Adapter,
    texts: Sequence[str],
    log_target: Tensor,
    settings: FitSettings,
    seed: int,
    log: Callable[[int, dict[str, float]], None],
) -> None:
    """Train ADAPTER in place so that the prompts TEXTS get the weights exp(log_target) [N, K].

    AdamW, a linear schedule with warm-up, prompts shuffled in every epoch by SEED; LOG is called
    with step and metrics. Raises PrefrunError where the loss is not finite.
    """
    size = settings.batch_size
    steps = max(1, round(settings.epochs * math.ceil(len(texts) / size)))
    optimizer = torch.optim.AdamW(
        adapter.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    warmup = round(settings.warmup * steps)
    schedule = get_linear_schedule_with_warmup(optimizer, warmup, steps)  # type: ignore[no-untyped-call]
    shuffle = torch.Generator().manual_seed(seed)
    order: list[int] = []
    with torch.random.fork_rng():
        torch.manual_seed(seed)  # dropout of a transformers encoder
        adapter.train()
        for step in range(1, steps + 1):
            if not order:
                order = torch.randperm(len(texts), generator=shuffle).tolist()
            batch, order = order[:size], order[size:]
            logits = adapter([texts[index] for index in batch])
            values = adapter_loss(
                logits, log_target[batch].to(logits), settings.direction, settings.entropy_coef
            )
            loss = values.mean()
            if not torch.isfinite(loss):
                raise PrefrunError(
                    f"the adapter's loss is {loss.item()} at step {step}\n"
                    "  remedy: lower algo.learning_rate"
                )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(adapter.parameters(), CLIP)
            optimizer.step()
            schedule.step()
            log(step, {"adapter/loss": loss.item()})
    adapter.eval()
