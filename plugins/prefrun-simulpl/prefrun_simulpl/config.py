"""The keys of algo=simulpl, with the defaults of the paper or of SM2 where these are known."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum

from prefrun import ConfigError


class ReadPolicy(Enum):
    """Who decides between READ and WRITE."""

    confidence = "the model: WRITE once its confidence reaches a threshold"
    wait_k = "wait-k: k words ahead, whatever the words are"
    full_sentence = "nobody: the whole source is read first"


class Prefixes(Enum):
    """How much of the source a target word sees in supervised training."""

    wait_k = "that of a random wait-k, k uniform in 1..|x|"
    uniform = "the same number of words for the whole sentence, uniform in min_source..|x|"


class Delays(Enum):
    """The schedule of a given translation that comes without delays."""

    wait_k = "wait-k with algo.k"
    policy = "that of the supervised model, forced to write this translation"


class Latency(Enum):
    """The latency in SimulDPO's margin, in about [0, 1]."""

    proportion = "average proportion, sum g(t) / (|x| |y|)"
    lagging = "average lagging / |x|"


@dataclass
class SupervisedConfig:
    """Phase 1, the supervised start: translation and read/write policy together."""

    steps: int = 600
    """Optimizer steps; 0 with a model.path that has learned already."""
    learning_rate: float = 2e-3
    """At its peak. SM2: 5e-4."""
    warmup_steps: int = 100
    """Linear warm-up; the rate then falls with the inverse square root. SM2: 4000."""
    batch_tokens: int = 2048
    """Tokens per optimizer step, those of the source and twice the target's, padding included."""
    label_smoothing: float = 0.1
    """In [0, 1)."""
    confidence_weight: float = 0.1
    """lambda, the price of asking the full-sentence prediction for help, at least 0."""
    prefix: Prefixes = Prefixes.wait_k
    """wait_k or uniform: the source prefixes that target words are trained on."""

    def __post_init__(self) -> None:
        _at_least("supervised.steps", self.steps, 0)
        _above_zero("supervised.learning_rate", self.learning_rate)
        _at_least("supervised.warmup_steps", self.warmup_steps, 0)
        _at_least("supervised.batch_tokens", self.batch_tokens, 1)
        _at_least("supervised.confidence_weight", self.confidence_weight, 0)
        if not 0 <= self.label_smoothing < 1:
            raise ConfigError(
                f"algo.supervised.label_smoothing={self.label_smoothing} must be in [0, 1)"
            )


@dataclass
class PairsConfig:
    """Phase 2, the preference data."""

    delays: Delays = Delays.wait_k
    """wait_k or policy: the schedule of given chosen and rejected texts without delays."""
    records: int = 2000
    """Training sentences from the beginning for which pairs are used or made, at least 1."""
    thresholds: list[float] = field(default_factory=lambda: [0.2, 0.35, 0.5, 0.65, 0.8])
    """A record without given answers gets a candidate per threshold of the current policy, ..."""
    wait_k: list[int] = field(default_factory=lambda: [1, 3, 5])
    """... and per k of wait-k."""
    latency_weight: float = 0.5
    """A candidate's score is sentence chrF / 100 - this weight * average proportion, at least 0."""
    min_margin: float = 0.05
    """Pairs whose scores are closer are left out, at least 0."""

    def __post_init__(self) -> None:
        _at_least("pairs.records", self.records, 1)
        _at_least("pairs.latency_weight", self.latency_weight, 0)
        _at_least("pairs.min_margin", self.min_margin, 0)
        for k in self.wait_k:
            _at_least("pairs.wait_k", k, 1)
        if len({*self.thresholds}) + len({*self.wait_k}) < 2:
            raise ConfigError(
                "algo.pairs.thresholds and algo.pairs.wait_k name fewer than two settings: a pair "
                "needs two candidates"
            )


@dataclass
class PreferenceConfig:
    """Phase 3, SimulDPO."""

    steps: int = 300
    """Optimizer steps; 0 = the supervised model is the result."""
    learning_rate: float = 5e-4
    """Constant. For a small model; a large language model wants about 1e-6."""
    batch_size: int = 32
    """Pairs per optimizer step, at least 1."""
    beta: float = 0.1
    """KL strength, above 0."""
    eta: float = 1.0
    """Weight of the read/write actions' log-ratio; 0 = the translation's only."""
    alpha: float = 1.0
    """Weight of the difference in latency; eta = alpha = 0 is DPO."""
    latency: Latency = Latency.proportion
    """proportion or lagging: what alpha weighs."""
    expected_latency: float = 0.0
    """Weight of the chosen schedule's expected average proportion as a regulariser, at least 0."""

    def __post_init__(self) -> None:
        _at_least("preference.steps", self.steps, 0)
        _above_zero("preference.learning_rate", self.learning_rate)
        _at_least("preference.batch_size", self.batch_size, 1)
        _above_zero("preference.beta", self.beta)
        _at_least("preference.eta", self.eta, 0)
        _at_least("preference.expected_latency", self.expected_latency, 0)
        if not math.isfinite(self.alpha):
            raise ConfigError(f"algo.preference.alpha={self.alpha} must be finite")


@dataclass
class SimulPLConfig:
    """SimulPL (arXiv 2502.00634), SimulDPO reconstructed."""

    policy: ReadPolicy = ReadPolicy.confidence
    """confidence; or the baselines wait_k and full_sentence, for which phase 1 alone is run."""
    k: int = 5
    """Of wait-k: the baseline's, and the schedule of given pairs without delays. At least 1."""
    threshold: float = 0.5
    """The confidence from which the trained model writes; above 1 = full sentence."""
    min_source: int = 1
    """Words read before the first decision, at least 1."""
    supervised: SupervisedConfig = field(default_factory=SupervisedConfig)
    pairs: PairsConfig = field(default_factory=PairsConfig)
    preference: PreferenceConfig = field(default_factory=PreferenceConfig)

    def __post_init__(self) -> None:
        _at_least("k", self.k, 1)
        _at_least("min_source", self.min_source, 1)
        if not math.isfinite(self.threshold):
            raise ConfigError(f"algo.threshold={self.threshold} must be finite")


def _at_least(key: str, value: float, minimum: float) -> None:
    if not (value >= minimum and math.isfinite(value)):
        raise ConfigError(f"algo.{key}={value} must be at least {minimum:g}, and finite")


def _above_zero(key: str, value: float) -> None:
    if not (value > 0 and math.isfinite(value)):
        raise ConfigError(f"algo.{key}={value} must be above 0, and finite")
