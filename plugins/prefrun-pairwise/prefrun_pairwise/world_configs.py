"""The keys of data=shortcut_pairs and data=rated_letters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from prefrun import ConfigError


@dataclass
class ShortcutPairsConfig:
    """Pairs of feature vectors, most of which a shortcut decides."""

    records: int = 800
    """Training pairs, >= 1."""
    test_records: int = 1000
    """Held-out pairs of each of the two groups, >= 1."""
    dimension: int = 20
    """Features beside the shortcut, >= 1."""
    norm: float = 3.0
    """Length of the true reward's weight vector, > 0: how sure a label is."""
    easy: float = 0.8
    """Share of the training pairs that carry the shortcut, in [0, 1]."""
    shortcut: float = 3.0
    """Difference of the shortcut feature in these, >= 0."""
    noise: float = 0.2
    """Standard deviation of the gaps of the two estimators, >= 0."""

    def __post_init__(self) -> None:
        _check(self, ("records", "test_records", "dimension"), ("shortcut", "noise"))
        if not 0 < self.norm < math.inf:
            raise ConfigError(f"data.norm={self.norm} must be above 0, and finite")
        if not 0 <= self.easy <= 1:
            raise ConfigError(f"data.easy={self.easy} must be in [0, 1]")


@dataclass
class RatedLettersConfig:
    """Strings of letters of different worth, with noisy ratings."""

    records: int = 1024
    """Training lists of four answers, >= 1."""
    test_records: int = 128
    """Held-out lists, >= 1."""
    noise: float = 0.5
    """Standard deviation of the training ratings, >= 0; that of the qualities is 0.8."""

    def __post_init__(self) -> None:
        _check(self, ("records", "test_records"), ("noise",))


def _check(config: Any, counts: tuple[str, ...], sizes: tuple[str, ...]) -> None:
    for key in counts:
        if getattr(config, key) < 1:
            raise ConfigError(f"data.{key}={getattr(config, key)} must be at least 1")
    for key in sizes:
        if not 0 <= getattr(config, key) < math.inf:
            raise ConfigError(f"data.{key}={getattr(config, key)} must be at least 0, and finite")
