"""The keys of algo=cpo, simpo, orpo, kto and bradley_terry."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from prefrun import ConfigError
from prefrun_pairwise.config import PairChoice


class CpoLoss(Enum):
    """The preference term of CPO."""

    sigmoid = "-LS(beta m), m a difference of sums"
    hinge = "max(0, 1 - beta m)"
    ipo = "(m - 1/(2 beta))^2, m a difference of means over tokens"


class GammaScale(Enum):
    """What SimPO's gamma is."""

    margin = "gamma itself, subtracted from beta times the margin (the paper's formula, TRL)"
    ratio = "gamma / beta, as the paper's tables and code quote it"


class Kl(Enum):
    """The point from which KTO measures gains and losses."""

    mismatched = "mean log-ratio of other records' answers, at least 0 (KTO)"
    none = "0 (apo_zero_unpaired of TRL)"


@dataclass
class CpoConfig:
    """CPO (arXiv 2401.08417)."""

    loss: CpoLoss = CpoLoss.sigmoid
    """sigmoid, hinge or ipo; simpo is algo=simpo."""
    beta: float = 0.1
    """Scale of the rewards, > 0."""
    label_smoothing: float = 0.0
    """sigmoid: assumed share of flipped labels, in [0, 0.5)."""
    cpo_alpha: float = 1.0
    """Weight of the chosen answers' negative log-likelihood per token, >= 0."""
    pairs: PairChoice = PairChoice.all
    """all, best_vs_rest or best_vs_worst; the same for two answers."""

    def __post_init__(self) -> None:
        _above_zero("beta", self.beta)
        _at_least_zero("cpo_alpha", self.cpo_alpha)
        if not 0 <= self.label_smoothing < 0.5:
            raise ConfigError(f"algo.label_smoothing={self.label_smoothing} must be in [0, 0.5)")
        if self.label_smoothing and self.loss is not CpoLoss.sigmoid:
            raise ConfigError(
                f"algo.label_smoothing={self.label_smoothing} is read by algo.loss=sigmoid only"
            )


@dataclass
class SimpoConfig:
    """SimPO (arXiv 2405.14734) and AlphaPO (arXiv 2501.03884)."""

    beta: float = 2.0
    """Scale of the rewards, > 0."""
    gamma: float = 1.0
    """Margin that the chosen answer must win by, >= 0; see gamma_scale."""
    gamma_scale: GammaScale = GammaScale.margin
    """margin: gamma as in the formula (TRL); ratio: gamma / beta, as the paper quotes it."""
    alpha: float = 0.0
    """AlphaPO's shape of the reward; 0 is SimPO."""
    cpo_alpha: float = 0.0
    """CPO-SimPO: weight of the chosen answers' negative log-likelihood per token, >= 0."""
    pairs: PairChoice = PairChoice.all
    """all, best_vs_rest or best_vs_worst; the same for two answers."""

    def __post_init__(self) -> None:
        _above_zero("beta", self.beta)
        _at_least_zero("gamma", self.gamma)
        _at_least_zero("cpo_alpha", self.cpo_alpha)
        if not math.isfinite(self.alpha):
            raise ConfigError(f"algo.alpha={self.alpha} must be finite")


@dataclass
class OrpoConfig:
    """ORPO (arXiv 2403.07691)."""

    beta: float = 0.1
    """Weight of the odds-ratio term, lambda in the paper, > 0."""
    pairs: PairChoice = PairChoice.all
    """all, best_vs_rest or best_vs_worst; the same for two answers."""

    def __post_init__(self) -> None:
        _above_zero("beta", self.beta)


@dataclass
class KtoConfig:
    """KTO (arXiv 2402.01306)."""

    beta: float = 0.1
    """Strength of the pull to the reference, > 0."""
    desirable_weight: float = 1.0
    """Weight of desirable answers, >= 0; with n_D and n_U of both kinds, w_D n_D / (w_U n_U) in
    [1, 4/3] is advised."""
    undesirable_weight: float = 1.0
    """Weight of undesirable answers, >= 0."""
    threshold: float | None = None
    """Answers that score above it are desirable, below it undesirable, exactly it left out; null =
    0.5 if all scores are 0 or 1, as labels are, else the mean score of the record's answers."""
    kl: Kl = Kl.mismatched
    """mismatched: z of the paper, which takes one more answer per record; none: z = 0."""

    def __post_init__(self) -> None:
        _above_zero("beta", self.beta)
        _at_least_zero("desirable_weight", self.desirable_weight)
        _at_least_zero("undesirable_weight", self.undesirable_weight)
        if not self.desirable_weight and not self.undesirable_weight:
            raise ConfigError(
                "algo.desirable_weight=0 with algo.undesirable_weight=0 leaves nothing to train"
            )
        if self.threshold is not None and not math.isfinite(self.threshold):
            raise ConfigError(f"algo.threshold={self.threshold} must be finite, or null")


@dataclass
class BradleyTerryConfig:
    """The loss of reward models (Bradley and Terry 1952; arXiv 2203.02155)."""

    margin_scale: float = 0.0
    """Times the difference of the data's scores = the margin, >= 0; 1 is Llama 2's."""
    center: float = 0.0
    """Weight of (s_c + s_r)^2, >= 0; TRL's center_rewards_coefficient."""
    pairs: PairChoice = PairChoice.all
    """all, best_vs_rest or best_vs_worst; the same for two answers."""

    def __post_init__(self) -> None:
        _at_least_zero("margin_scale", self.margin_scale)
        _at_least_zero("center", self.center)


def _above_zero(key: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise ConfigError(f"algo.{key}={value} must be above 0, and finite")


def _at_least_zero(key: str, value: float) -> None:
    if not 0 <= value < math.inf:
        raise ConfigError(f"algo.{key}={value} must be at least 0, and finite")
