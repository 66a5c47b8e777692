"""The keys of algo=apo_momentum, algo=apo_tabular and data=reward_table. Standard library only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from prefrun import ConfigError


class InnerLoss(Enum):
    """What a round minimises."""

    dpo = "best against worst of the sampled answers"
    sppo = "each sampled answer against its win probability"


class Returned(Enum):
    """The policy that is evaluated and saved."""

    extrapolated = "after the last momentum step"
    hat = "before it"


@dataclass
class ApoMomentumConfig:
    """APO, accelerated preference optimization (arXiv 2410.06293)."""

    loss: InnerLoss = InnerLoss.dpo
    """dpo or sppo."""
    alpha: float = 0.3
    """Momentum, in [0, 1); 0 is plain iterative preference optimization."""
    rounds: int = 3
    """Rounds of sampling, labelling and training, >= 1; each has `trainer.max_steps` steps."""
    samples: int = 5
    """Answers sampled per prompt and round, >= 2."""
    temperature: float = 1.0
    """Of the samples, > 0."""
    beta: float = 0.1
    """dpo: strength of the pull to the round's first policy, > 0."""
    eta: float = 1000.0
    """sppo: a sure win should gain eta / 2 nats, > 0."""
    returned: Returned = Returned.extrapolated
    """extrapolated or hat: the policy after or before the last momentum step."""

    def __post_init__(self) -> None:
        _check_momentum(self.alpha)
        _check_rounds(self.rounds)
        if self.samples < 2:
            raise ConfigError(f"algo.samples={self.samples} must be at least 2: a pair needs two")
        for key in ("temperature", "beta", "eta"):
            if not 0 < getattr(self, key) < math.inf:
                raise ConfigError(f"algo.{key}={getattr(self, key)} must be above 0, and finite")


@dataclass
class ApoTabularConfig:
    """APO with exact steps on tables of rewards; no language model."""

    alpha: float = 0.3
    """Momentum, in [0, 1)."""
    beta: float = 1.0
    """Strength of the pull to the round's first policy, > 0."""
    rounds: int = 30
    """Exact proximal steps, >= 1."""

    def __post_init__(self) -> None:
        _check_momentum(self.alpha)
        _check_rounds(self.rounds)
        if not 0 < self.beta < math.inf:
            raise ConfigError(f"algo.beta={self.beta} must be above 0, and finite")


@dataclass
class RewardTableConfig:
    """Prompts with all their answers, each with a reward and a probability under the reference."""

    prompts: int = 200
    """Held-out records, >= 1; one more is for training."""
    answers: int = 50
    """Answers per prompt, >= 2."""
    generator_seed: int | None = None
    """Of rewards and reference; null = the run's seed."""

    def __post_init__(self) -> None:
        if self.prompts < 1:
            raise ConfigError(f"data.prompts={self.prompts} must be at least 1")
        if self.answers < 2:
            raise ConfigError(f"data.answers={self.answers} must be at least 2")


def _check_momentum(alpha: float) -> None:
    if not 0 <= alpha < 1:
        raise ConfigError(f"algo.alpha={alpha} must be at least 0 and below 1")


def _check_rounds(rounds: int) -> None:
    if rounds < 1:
        raise ConfigError(f"algo.rounds={rounds} must be at least 1")
