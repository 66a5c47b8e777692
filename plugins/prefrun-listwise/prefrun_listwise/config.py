"""The keys of the algorithms, with the papers' defaults."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from prefrun import ConfigError


class Score(Enum):
    """What an answer's ranking score is."""

    implied = "beta * (log pi - log pi_ref)"
    mean_logp = "log pi / number of tokens; no reference"


class Mode(Enum):
    """How the comparisons of one skip are joined."""

    lse = "log(1 + sum exp(z))"
    exact = "sum log(1 + exp(z))"


class Reduction(Enum):
    """What the batch's mean counts."""

    sum = "lists, each with the sum of its losses"
    mean_pairs = "all comparisons of the batch"


class ViewLoss(Enum):
    """Loss on the embeddings of views."""

    groco = "group ordering"
    nt_xent = "SimCLR's softmax, to compare with"


@dataclass
class ProRankingConfig:
    """PRO (arXiv 2306.17492)."""

    sft_weight: float = 0.05
    """Weight of the supervised term, times (n - 1)^2, >= 0."""
    ranking: bool = True
    """false: only the supervised term on the best answer."""
    ranking_length: int | None = None
    """Answers of a list that are used, >= 2: the best and others drawn by seed; null = all."""
    use_temperature: bool = True
    """Multiply the scores by the gaps of the rewards; false: plain Plackett-Luce."""
    length_normalise: bool = True
    """Score = log-prob per token; false: the sum."""
    eps: float = 0.0
    """0 = log-sum-exp; above 0 = added inside the logarithm, as the authors' code does (1e-10)."""

    def __post_init__(self) -> None:
        _at_least("sft_weight", self.sft_weight, 0)
        _at_least("eps", self.eps, 0)
        if self.ranking_length is not None:
            _at_least("ranking_length", self.ranking_length, 2)
        if not self.ranking and not self.sft_weight:
            raise ConfigError("algo.ranking=false with algo.sft_weight=0 leaves nothing to train")


@dataclass
class RankListConfig:
    """RankList (arXiv 2508.09826), reconstructed."""

    mode: Mode = Mode.lse
    """lse: log-sum-exp over the comparisons of a skip; exact: their sum."""
    list_size: int | None = None
    """Cut each record's answers into lists of this size, drawn by seed, >= 2; null = whole."""
    max_skip: int | None = None
    """Largest distance of compared places, >= 1; 1 = neighbours only; null = all pairs."""
    start_skip: int = 1
    """Largest distance at the first step of a schedule, >= 1."""
    steps_per_skip: int | None = None
    """Optimizer steps after which the distance grows by one, >= 1; null = no schedule."""
    min_margin: float = 0.0
    """Answers are compared where their scores differ by more than this, >= 0."""
    skip_decay: float = 1.0
    """Weight of skip k is skip_decay^(k - 1), in (0, 1]."""
    reduction: Reduction = Reduction.sum
    """sum: mean over lists; mean_pairs: mean over all comparisons."""
    score: Score = Score.implied
    """implied: beta * log-ratio to the reference; mean_logp: log-prob per token, no reference."""
    beta: float = 0.1
    """Scale of implied scores, > 0."""

    def __post_init__(self) -> None:
        _above_zero("beta", self.beta)
        _at_least("min_margin", self.min_margin, 0)
        _at_least("start_skip", self.start_skip, 1)
        for key, least in {"list_size": 2, "max_skip": 1, "steps_per_skip": 1}.items():
            value = getattr(self, key)
            if value is not None:
                _at_least(key, value, least)
        if not 0 < self.skip_decay <= 1:
            raise ConfigError(f"algo.skip_decay={self.skip_decay} must be in (0, 1]")
        if self.max_skip is not None and self.start_skip > self.max_skip:
            raise ConfigError(
                f"algo.start_skip={self.start_skip} is above algo.max_skip={self.max_skip}"
            )
        if self.start_skip != 1 and self.steps_per_skip is None:
            raise ConfigError(
                f"algo.start_skip={self.start_skip} needs a schedule: set algo.steps_per_skip"
            )


@dataclass
class GrocoConfig:
    """GroCo (arXiv 2301.02009) on implied rewards."""

    steepness: float = 1.0
    """Of the comparators, > 0."""
    topk_neg: int | None = 10
    """Bad answers of a list that count, those of highest score, >= 1; null = all."""
    threshold: float | None = None
    """Answers scored at least this are good; null: those that share the list's best score."""
    beta: float = 0.1
    """Scale of the implied rewards, > 0; only its product with steepness matters."""

    def __post_init__(self) -> None:
        _above_zero("steepness", self.steepness)
        _above_zero("beta", self.beta)
        if self.topk_neg is not None:
            _at_least("topk_neg", self.topk_neg, 1)


@dataclass
class GrocoViewsConfig:
    """GroCo (arXiv 2301.02009) on embeddings of views."""

    loss: ViewLoss = ViewLoss.groco
    """groco or nt_xent."""
    topk_neg: int = 10
    """groco: hardest negatives of each anchor, 1 to batch_size - 1."""
    steepness: float = 1.0
    """groco: of the comparators, > 0."""
    stop_grad: bool = True
    """groco: only the anchor's side of a similarity gets a gradient."""
    temperature: float = 0.1
    """nt_xent: of the softmax, > 0."""
    views: int = 2
    """Augmentations of an item, >= 2."""
    noise: float = 1.0
    """Standard deviation of a view's noise, in standard deviations of the feature, >= 0."""
    drop: float = 0.2
    """Probability that a view lacks a feature, in [0, 1)."""
    hidden: int = 128
    """Width of the encoder's hidden layer, >= 1."""
    width: int = 32
    """Of the embedding, >= 1."""
    steps: int = 600
    """Optimizer steps, >= 1."""
    batch_size: int = 128
    """Items per step, >= 2."""
    learning_rate: float = 1e-3
    """Constant, > 0."""
    knn: int = 20
    """Neighbours that vote in the evaluation, >= 1."""
    knn_temperature: float = 0.07
    """Of their votes, > 0."""

    def __post_init__(self) -> None:
        for key in ("steepness", "temperature", "learning_rate", "knn_temperature"):
            _above_zero(key, getattr(self, key))
        for key, least in {"views": 2, "batch_size": 2}.items():
            _at_least(key, getattr(self, key), least)
        for key in ("topk_neg", "hidden", "width", "steps", "knn"):
            _at_least(key, getattr(self, key), 1)
        _at_least("noise", self.noise, 0)
        if not 0 <= self.drop < 1:
            raise ConfigError(f"algo.drop={self.drop} must be in [0, 1)")
        if self.topk_neg > self.batch_size - 1:
            raise ConfigError(
                f"algo.topk_neg={self.topk_neg} is above {self.batch_size - 1}, the negatives that "
                f"algo.batch_size={self.batch_size} gives an anchor"
            )


def _at_least(key: str, value: float, minimum: float) -> None:
    if not (value >= minimum and math.isfinite(value)):
        raise ConfigError(f"algo.{key}={value} must be at least {minimum}, and finite")


def _above_zero(key: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise ConfigError(f"algo.{key}={value} must be above 0, and finite")
