"""The keys of algo=lcpo and of data=noisy_annotators. Standard library only."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from prefrun import ConfigError


class MStep(Enum):
    """What the policy minimises, given the posterior w."""

    likelihood = "-[w log p + (1 - w) log(1 - p)]"
    loss_mix = "w L_obs + (1 - w) L_flip"


class Reliability(Enum):
    """Whose labels share one eta."""

    annotator = "each annotator has one; records without annotator share one"
    shared = "one for all"


class PairChoice(Enum):
    """Which pairs of a list of answers are compared; answers that tie make no pair."""

    all = "every pair"
    best_vs_worst = "one pair a list"


@dataclass
class LcpoConfig:
    """LCPO, also called RE-PO (arXiv 2509.24159)."""

    base: str = "dpo"
    """dpo, ipo, simpo, cpo, or any other installed loss of pairs by its name."""
    base_keys: dict[str, Any] = field(default_factory=dict)
    """Keys of the base loss, such as {beta: 0.1}."""
    eta0: float = 0.9
    """Reliability at the start, in (0.5, 1]."""
    ema: float = 0.1
    """Rate of the reliability's moving average, in (0, 1]."""
    reliability: Reliability = Reliability.annotator
    """annotator: one eta per annotator; shared: one for all records."""
    m_step: MStep = MStep.likelihood
    """likelihood (the paper) or loss_mix."""
    warmup_steps: int = 0
    """Optimizer steps with w = eta, which is label smoothing, >= 0."""
    keep_above_half: bool = False
    """Never let an eta fall below 0.5, where flipped labels would be preferred."""
    pairs: PairChoice = PairChoice.all
    """all or best_vs_worst: which pairs of a list are compared."""
    nll_in_posterior: bool = True
    """base=cpo: whether its NLL term counts in p."""

    def __post_init__(self) -> None:
        if not 0.5 < self.eta0 <= 1:
            raise ConfigError(
                f"algo.eta0={self.eta0} must be above 0.5 and at most 1: at or below one half, "
                "flipped labels explain the data as well"
            )
        if not 0 < self.ema <= 1:
            raise ConfigError(f"algo.ema={self.ema} must be above 0 and at most 1")
        if self.warmup_steps < 0:
            raise ConfigError(f"algo.warmup_steps={self.warmup_steps} must be at least 0")
        if not self.nll_in_posterior and self.base != "cpo":
            raise ConfigError(
                f"algo.nll_in_posterior=false: algo.base={self.base} has no NLL term, only cpo has"
            )


@dataclass
class NoisyAnnotatorsConfig:
    """Pairs of feature vectors, labelled by annotators of known reliability."""

    reliabilities: list[float] = field(default_factory=lambda: [0.95, 0.85, 0.7, 0.55])
    """Per annotator, the probability that a label is not flipped, in [0, 1]."""
    records: int = 1500
    """Training pairs, >= 1."""
    test_records: int = 2000
    """Held-out pairs, whose labels are the signs of the true rewards, >= 1."""
    dimension: int = 30
    """Length of a feature vector, >= 1."""
    norm: float = 3.0
    """Length of the true reward's weight vector, > 0: how sure a clean label is."""
    generator_seed: int | None = None
    """Of weights, features and labels; null = the run's seed."""

    def __post_init__(self) -> None:
        for key in ("records", "test_records", "dimension"):
            if getattr(self, key) < 1:
                raise ConfigError(f"data.{key}={getattr(self, key)} must be at least 1")
        if not 0 < self.norm < math.inf:
            raise ConfigError(f"data.norm={self.norm} must be above 0, and finite")
        if not self.reliabilities or not all(0 <= each <= 1 for each in self.reliabilities):
            raise ConfigError(
                f"data.reliabilities={self.reliabilities} must name one or more numbers in [0, 1]"
            )
