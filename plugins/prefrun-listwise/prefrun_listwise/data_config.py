"""The keys of the generated data sets."""

from __future__ import annotations

import math
from dataclasses import dataclass

from prefrun import ConfigError

EXERCISES = 10**5
"""Prompts of five digits."""


@dataclass
class SortDigitsConfig:
    """Five digits to sort."""

    train: int = 1000
    """Training prompts, >= 1."""
    test: int = 200
    """Held-out prompts, >= 1."""
    candidates: int = 5
    """Answers of a prompt, 2 to 6: the right one, and others with 1 to 5 wrong places."""
    generator_seed: int = 0
    """Of the generator; another one gives other records."""

    def __post_init__(self) -> None:
        _at_least(self, "train", 1)
        _at_least(self, "test", 1)
        if not 2 <= self.candidates <= 6:
            raise ConfigError(f"data.candidates={self.candidates} must be 2 to 6")
        if self.train + self.test > EXERCISES:
            raise ConfigError(
                f"data.train={self.train} and data.test={self.test} are more than the {EXERCISES} "
                "different prompts there are"
            )


@dataclass
class RatedItemsConfig:
    """Lists of feature vectors with ratings from 1 to 7."""

    train: int = 200
    """Training lists, >= 1."""
    list_length: int = 8
    """Items of a training list, >= 2."""
    test: int = 20
    """Held-out lists of 50 items in each of the two domains, >= 1."""
    noise: float = 0.3
    """Standard deviation of what the rater adds, >= 0."""

    def __post_init__(self) -> None:
        _at_least(self, "train", 1)
        _at_least(self, "list_length", 2)
        _at_least(self, "test", 1)
        _at_least(self, "noise", 0)


@dataclass
class LatentClassesConfig:
    """Feature vectors of ten classes."""

    train: int = 4000
    """Training items, >= 10."""
    test: int = 1000
    """Held-out items, >= 1."""
    spread: float = 0.7
    """Standard deviation of an item around its class, in each of 16 latent dimensions, >= 0."""
    noise: float = 0.7
    """Standard deviation of the noise on each of the 64 features, >= 0."""

    def __post_init__(self) -> None:
        _at_least(self, "train", 10)
        _at_least(self, "test", 1)
        _at_least(self, "spread", 0)
        _at_least(self, "noise", 0)


def _at_least(config: object, key: str, minimum: float) -> None:
    value = getattr(config, key)
    if not (value >= minimum and math.isfinite(value)):
        raise ConfigError(f"data.{key}={value} must be at least {minimum}, and finite")
