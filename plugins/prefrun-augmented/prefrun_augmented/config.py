"""The keys of algo=dove, mapl, rationales and spo. Standard library only."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from prefrun import ConfigError


@dataclass
class AroundConfig:
    """What every loss around another one has."""

    base: str = "dpo"
    """The preference loss inside, by its name as an algorithm."""
    base_keys: dict[str, Any] = field(default_factory=dict)
    """Its keys, such as +algo.base_keys.beta=0.05; its defaults stand for the others."""


@dataclass
class DoveConfig(AroundConfig):
    """DOVE (arXiv 2404.00530)."""

    joint: bool = True
    """Score the instruction, too; false = only the answer, which is the base loss."""


class RationaleLoss(Enum):
    """How the rationale's log-prob z enters."""

    logsigmoid = "-log sigmoid(gamma z): the published code"
    nll = "-gamma z: the paper"


class RationaleLogps(Enum):
    """What z is."""

    sum = "the sum over the rationale's tokens"
    mean = "their mean"


class RationaleStyle(Enum):
    """Words of the question the rationale answers."""

    detailed = "names the responses above and below"
    general = "names two assistants"


@dataclass
class RationalesConfig(AroundConfig):
    """Preference optimization with rationales (arXiv 2407.14477)."""

    gamma: float = 0.001
    """Weight of the rationale, >= 0; for sums 1e-3 to 1e-2, for means up to 1."""
    rationale_loss: RationaleLoss = RationaleLoss.logsigmoid
    """logsigmoid (the published code) or nll (the paper)."""
    rationale_logps: RationaleLogps = RationaleLogps.sum
    """sum, or mean over the rationale's tokens."""
    style: RationaleStyle = RationaleStyle.detailed
    """Question before the rationale: detailed or general."""
    swap: bool = False
    """Show the better answer first in one half of the records only, by chance; for rationales that
    name no position."""
    rationale_field: str = "rationale"
    """Where a record's metadata hold its rationale."""

    def __post_init__(self) -> None:
        _at_least_zero("gamma", self.gamma)


@dataclass
class MaplConfig(AroundConfig):
    """MAPL (arXiv 2505.12845)."""

    beta: float = 0.1
    """Scale of the implied reward in the two further terms, > 0."""
    lambda_intra: float = 0.5
    """Weight of one answer under two prompts, >= 0."""
    lambda_inter: float = 0.5
    """Weight of a pair's margin under an extended prompt, >= 0; above 1 it outweighs the pair."""
    instructions: int = 3
    """Most instructions added to a prompt, at least 1; each record draws how many."""
    mirrored: float = 0.5
    """Share of extended prompts that the worse answer fits and the better does not, in [0, 1]."""
    detach_base_margin: bool = False
    """No gradient of the inter term through the pair's own margin."""

    def __post_init__(self) -> None:
        if not 0 < self.beta < math.inf:
            raise ConfigError(f"algo.beta={self.beta} must be above 0, and finite")
        _at_least_zero("lambda_intra", self.lambda_intra)
        _at_least_zero("lambda_inter", self.lambda_inter)
        if self.instructions < 1:
            raise ConfigError(f"algo.instructions={self.instructions} must be at least 1")
        if not 0 <= self.mirrored <= 1:
            raise ConfigError(f"algo.mirrored={self.mirrored} must be in [0, 1]")


class Extractor(Enum):
    """Which phrases carry the content."""

    rake = "RAKE's keyword phrases"
    random = "as many words, drawn by chance: the control"


@dataclass
class SpoConfig(AroundConfig):
    """SPO: preference degrees (arXiv 2409.17791)."""

    gamma: float = 0.1
    """Weight of telling the degrees apart, >= 0."""
    degrees: int = 4
    """M: the whole answer and M - 1 poorer ones, at least 2."""
    extractor: Extractor = Extractor.rake
    """rake, or random: the control, which removes as many words."""
    head_learning_rate: float = 5e-4
    """Of the classifier's head, > 0; the paper's code is not known, 10 times the policy's suits."""

    def __post_init__(self) -> None:
        _at_least_zero("gamma", self.gamma)
        if self.degrees < 2:
            raise ConfigError(f"algo.degrees={self.degrees} must be at least 2")
        if not 0 < self.head_learning_rate < math.inf:
            raise ConfigError(
                f"algo.head_learning_rate={self.head_learning_rate} must be above 0, and finite"
            )


def _at_least_zero(key: str, value: float) -> None:
    if not 0 <= value < math.inf:
        raise ConfigError(f"algo.{key}={value} must be at least 0, and finite")
