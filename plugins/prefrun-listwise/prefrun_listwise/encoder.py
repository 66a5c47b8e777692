"""A small encoder that learns from random views of feature vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

Loss = Callable[[Sequence[Tensor]], Tensor]


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


def train_encoder(
    encoder: torch.nn.Module,
    items: Tensor,
    loss_of: Loss,
    *,
    views: int,
    noise: float,
    drop: float,
    steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
) -> Iterator[tuple[int, Tensor, list[Tensor]]]:
    """Train in place with Adam; yield step, loss and the embeddings of the views after each step.

    items: [N, F] standardised, N >= batch_size. loss_of takes V embeddings [B, D].
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(encoder.parameters(), lr=learning_rate)
    for step in range(1, steps + 1):
        chosen = torch.randperm(len(items), generator=generator)[:batch_size]
        embeddings = [
            encoder(random_view(items[chosen], noise, drop, generator)) for _ in range(views)
        ]
        loss = loss_of(embeddings)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield step, loss.detach(), [each.detach() for each in embeddings]
