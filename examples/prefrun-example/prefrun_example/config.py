"""The keys of the four components. Standard library and prefrun only: --help imports this."""

import math
from dataclasses import dataclass

from prefrun import ConfigError


@dataclass
class DpopConfig:
    """DPO-Positive (arXiv 2402.13228), with the paper's defaults."""

    beta: float = 0.3
    """Strength of the pull to the reference, > 0."""
    penalty: float = 50.0
    """lambda of the paper: weight of what the chosen answer has lost, >= 0; 0 is DPO."""

    def __post_init__(self) -> None:
        if not 0 < self.beta < math.inf:
            raise ConfigError(f"algo.beta={self.beta} must be above 0, and finite")
        if not 0 <= self.penalty < math.inf:
            raise ConfigError(f"algo.penalty={self.penalty} must be at least 0, and finite")


@dataclass
class EditedSumsConfig:
    """Sums worked out step by step, each with copies that are wrong in one digit."""

    train: int = 512
    """Training records, >= 1."""
    test: int = 128
    """Held-out records, >= 1."""
    terms: int = 4
    """Numbers that a sum adds up, in 3..8."""
    edits: int = 1
    """Wrong copies per record, in 1..4, each with another digit changed."""

    def __post_init__(self) -> None:
        for name in ("train", "test"):
            if getattr(self, name) < 1:
                raise ConfigError(f"data.{name}={getattr(self, name)} must be at least 1")
        if not 3 <= self.terms <= 8:
            raise ConfigError(f"data.terms={self.terms} must be in 3..8")
        if not 1 <= self.edits <= 4:
            raise ConfigError(f"data.edits={self.edits} must be in 1..4")
        possible = 9**self.terms
        if self.train + self.test > possible:
            raise ConfigError(
                f"data.train + data.test = {self.train + self.test}, but there are only {possible} "
                f"different sums of {self.terms} numbers: take fewer records or more data.terms"
            )


@dataclass
class ExactSumConfig:
    """The judge of worked sums."""

    steps: bool = True
    """Whether every step must be right; false: only the result counts."""


@dataclass
class ChosenLikelihoodConfig:
    """What became of the best and the other answers' likelihood."""

    per_token: bool = False
    """Whether log-ratios are divided by the answer's number of tokens."""
