"""A small encoder that learns from random views of feature vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from prefrun.algorithm import LossOutput
from prefrun.training.step_loop import MicroBatch, StepLoop
from prefrun_listwise.config import GrocoViewsConfig

Loss = Callable[[Sequence[Tensor]], LossOutput]


def make_encoder(features: int, hidden: int, width: int, seed: int) -> torch.nn.Sequential:
    """An encoder [B, features] -> [B, width] with one hidden layer; the same for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return torch.nn.Sequential(
            torch.nn.Linear(features, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, width)
        )


def random_view(items: Tensor, noise: float, drop: float, generator: torch.Generator) -> Tensor:
    """Add noise to items [B, F] and set each feature to 0 with probability drop."""
    noisy = items + noise * torch.randn(items.shape, generator=generator)
    return noisy * (torch.rand(items.shape, generator=generator) >= drop)


class EncoderTraining(StepLoop):
    """Each step embeds new views of a random batch."""

    rate_key = "algo.learning_rate"

    def __init__(
        self,
        encoder: torch.nn.Module,
        items: Tensor,
        ids: Sequence[str],
        loss_of: Loss,
        config: GrocoViewsConfig,
        seed: int,
    ) -> None:
        """items: [N, F] standardised, N >= batch_size. loss_of takes V embeddings [B, D]."""
        self.modules, self.steps = {"encoder": encoder}, config.steps
        self.schedule = lambda step: config.learning_rate
        self.encoder, self.items, self.ids, self.loss_of = encoder, items, ids, loss_of
        self.config, self.draw = config, torch.Generator().manual_seed(seed)

    def step(self, number: int) -> Sequence[MicroBatch]:
        """Return the views of the next batch."""
        del number
        keys = self.config
        chosen = torch.randperm(len(self.items), generator=self.draw)[: keys.batch_size]
        batch = self.items[chosen]
        views = [random_view(batch, keys.noise, keys.drop, self.draw) for _ in range(keys.views)]
        ids = tuple(self.ids[index] for index in chosen.tolist())
        return [MicroBatch(lambda: self.loss_of([self.encoder(view) for view in views]), ids=ids)]

    def state(self) -> dict[str, Any]:
        """Return where the random numbers are."""
        return {"draw": self.draw.get_state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on with these random numbers."""
        self.draw.set_state(state["draw"])
