"""Weights of K objectives: their targets, the adapter's loss, the weighted sum (arXiv 2511.10656).

K is always the last axis. Nothing here reads a configuration.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

SMALLEST_SPREAD = 1e-8
"""Standard deviations and ranges are at least this, so a constant objective is normalised to 0."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of each objective over a pool of ordinary answers, never of the preferred ones alone.

    Centring on the preferred answers would erase which objectives they are preferred for.
    """

    mean: Tensor
    """[K]"""
    std: Tensor
    """[K], of the population"""
    min: Tensor
    """[K]"""
    max: Tensor
    """[K]"""

    @classmethod
    def of(cls, rewards: Tensor) -> Statistics:
        """Take those of rewards [N, K]."""
        return cls(rewards.mean(0), rewards.std(0, correction=0), rewards.amin(0), rewards.amax(0))


def normalise(rewards: Tensor, norm: str, statistics: Statistics) -> Tensor:
    """Return rewards [..., K] by NORM: none, zscore or minmax. Raises ValueError for another."""
    if norm == "none":
        return rewards
    if norm == "zscore":
        return (rewards - statistics.mean) / statistics.std.clamp(min=SMALLEST_SPREAD)
    if norm == "minmax":
        span = (statistics.max - statistics.min).clamp(min=SMALLEST_SPREAD)
        return (rewards - statistics.min) / span
    raise ValueError(f"norm={norm!r}: choose one of none, zscore, minmax")


def log_target_weights(rewards: Tensor, temperature: float) -> Tensor:
    """log w*_k = log softmax(r / T)_k of normalised rewards [..., K], in float64, no gradient.

    Source: eq. 7. In logarithms, because weights of 1e-170 occur where scales differ.
    """
    return (rewards.detach().double() / temperature).log_softmax(-1)


def adapter_loss(
    logits: Tensor, log_target: Tensor, direction: str = "forward", entropy_coef: float = 0.0
) -> Tensor:
    """Return per prompt [B] the KL of target and predicted weights, less c times their entropy.

    logits, log_target: [B, K]. forward: sum_k w*_k (log w*_k - log w_k), whose gradient by the
    logits is w - w*; reverse: the other way round, which seeks one mode. Raises ValueError for
    another direction.
    """
    log_weights = logits.log_softmax(-1)
    gaps = log_target - log_weights
    if direction == "forward":
        divergence = (log_target.exp() * gaps).sum(-1)
    elif direction == "reverse":
        divergence = -(log_weights.exp() * gaps).sum(-1)
    else:
        raise ValueError(f"direction={direction!r}: choose one of forward, reverse")
    if entropy_coef:
        divergence = divergence - entropy_coef * entropy(log_weights)
    return divergence


def entropy(log_weights: Tensor) -> Tensor:
    """H(w) in nats: [..., K] to [...]."""
    return -(log_weights.exp() * log_weights).sum(-1)


def raised(weights: Tensor, least: float) -> Tensor:
    """Raise weights [..., K] to at least LEAST, then renormalise them to sum 1."""
    floored = weights.clamp(min=least)
    return floored / floored.sum(-1, keepdim=True)


def scalarise(rewards: Tensor, weights: Tensor) -> Tensor:
    """R = sum_k w_k r_k: rewards [..., K], weights [..., K] (broadcast) to [...]."""
    return (rewards * weights).sum(-1)


def best_and_worst(scores: Tensor) -> tuple[int, int] | None:
    """Return the places of the highest and lowest of scores [N], first of ties; None if all tie."""
    best, worst = int(scores.argmax()), int(scores.argmin())
    return None if scores[best] == scores[worst] else (best, worst)


def simplex_grid(objectives: int, parts: int = 10) -> Tensor:
    """Return all weights [M, K] that are multiples of 1 / PARTS and sum to 1."""
    if objectives == 1:
        return torch.ones(1, 1, dtype=torch.float64)
    rows: list[list[int]] = [[]]
    for _ in range(objectives - 1):
        rows = [[*row, part] for row in rows for part in range(parts - sum(row) + 1)]
    whole = [[*row, parts - sum(row)] for row in rows]
    return torch.tensor(whole, dtype=torch.float64) / parts
