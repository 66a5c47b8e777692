"""What is asked of the sampler, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Request:
    """One completion that is wanted."""

    prompt: tuple[int, ...]
    name: str
    """Its random numbers follow the seed and this name."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How tokens are drawn. Raises ValueError for numbers that make no sense."""

    max_new_tokens: int
    temperature: float
    """0 = greedy."""
    top_p: float
    """Only the most likely tokens that reach this mass together are drawn, in (0, 1]."""
    seed: int

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise ValueError(f"max_new_tokens={self.max_new_tokens} must be at least 1")
        if not self.temperature >= 0:
            raise ValueError(f"temperature={self.temperature} must be at least 0")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p={self.top_p} must be above 0 and at most 1")


@dataclass(frozen=True, slots=True)
class Drawn:
    """One completion."""

    ids: tuple[int, ...]
    """With the end token, if there is one."""
    logps: Tensor
    """[T] float32 on the CPU: of these ids at temperature 1, all tokens counted."""
    ended: bool
    """False if `max_new_tokens` cut it."""
