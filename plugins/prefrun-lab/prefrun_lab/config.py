"""The keys of the models, of evaluator=ordering and of data=linear_world."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from prefrun import ConfigError
from prefrun.builtin.config import LoraSettings, ModelDevice
from prefrun.path_keys import path_key


class Answers(Enum):
    """Which answers of a training record the model learns to give."""

    best = "those of rank 1"
    all = "all of them"


class Tokens(Enum):
    """What one token is."""

    characters = "a character"
    words = "a run of white space, or of anything else"


class Labels(Enum):
    """How training answers are ranked."""

    deterministic = "by their true reward"
    bradley_terry = "by their true reward plus Gumbel noise"


@dataclass
class ScratchModelConfig:
    """A tiny Llama, trained on the records of a data component when it is first loaded."""

    data: str = "???"
    """Name of the data component it learns from, such as the run's own."""
    data_keys: dict[str, Any] = field(default_factory=dict)
    """Keys of that component; '${data}' = those of the run's data."""
    answers: Answers = Answers.all
    """all: it learns to answer as the records do, well and badly; best: only as their best ones."""
    tokens: Tokens = Tokens.characters
    """characters or words; every text of the data comes back as it was."""
    layers: int = 2
    """Decoder layers, >= 1."""
    hidden: int = 64
    """Width, a multiple of twice the heads."""
    heads: int = 4
    """Attention heads, >= 1."""
    steps: int = 300
    """Optimizer steps, >= 0; 0 = random weights."""
    batch_size: int = 32
    """Answers per step, >= 1."""
    learning_rate: float = 3e-3
    """Highest rate of Adam, > 0."""
    seed: int = 0
    """Of the weights, the order, and the data it learns from; the run's seed changes none."""
    attention: str | None = None
    """segments, flex or dense pack each tree into one row; sdpa or eager put each answer into a row
    of its own; null = the fastest packing."""
    device: ModelDevice = ModelDevice.auto
    """Where the run uses it: auto (a GPU where there is one), cpu or cuda; it learns on the CPU."""
    lora: LoraSettings = field(default_factory=LoraSettings)
    """Train a low-rank adapter instead of all weights; the reference is then the bare model."""

    def __post_init__(self) -> None:
        for name in ("layers", "heads", "batch_size"):
            _at_least(f"model.{name}", getattr(self, name), 1)
        _at_least("model.steps", self.steps, 0)
        _at_least("model.seed", self.seed, 0)
        _above_zero("model.learning_rate", self.learning_rate)
        if self.hidden < 1 or self.hidden % (2 * self.heads):
            raise ConfigError(
                f"model.hidden={self.hidden} must be a multiple of 2 * model.heads = "
                f"{2 * self.heads}"
            )


@dataclass
class LinearConfig:
    """A score that is linear in an answer's features."""

    path: str | None = path_key()
    """RUN/model of a run with model=linear, to start from; null = weights of 0."""


@dataclass
class MlpConfig:
    """A score of an answer's features with one hidden layer."""

    hidden: int = 64
    """Units of the hidden layer, >= 1."""
    path: str | None = path_key()
    """RUN/model of a run with model=mlp, to start from; null = new weights, drawn by the seed."""

    def __post_init__(self) -> None:
        _at_least("model.hidden", self.hidden, 1)


@dataclass
class OrderingConfig:
    """How well an answer's number orders the answers of a record."""

    group: str = "group"
    """Key of metadata; both metrics are measured again per group."""


@dataclass
class LinearWorldConfig:
    """Feature vectors with a linear true reward."""

    train: int = 512
    """Training records, >= 1."""
    test: int = 512
    """Held-out records, >= 1; their labels are the true reward."""
    dimension: int = 16
    """Features of an answer, >= 1."""
    answers: int = 4
    """Answers of a record, >= 2."""
    scale: float = 1.0
    """Standard deviation of the true reward, > 0."""
    labels: Labels = Labels.deterministic
    """deterministic: by the true reward; bradley_terry: drawn with log-odds of its differences."""
    flip: float = 0.0
    """Share of the training records whose order is reversed, in [0, 1]."""

    def __post_init__(self) -> None:
        for name, least in (("train", 1), ("test", 1), ("dimension", 1), ("answers", 2)):
            _at_least(f"data.{name}", getattr(self, name), least)
        _above_zero("data.scale", self.scale)
        if not 0 <= self.flip <= 1:
            raise ConfigError(f"data.flip={self.flip} must be in [0, 1]")


def _at_least(key: str, value: int, least: int) -> None:
    if value < least:
        raise ConfigError(f"{key}={value} must be at least {least}")


def _above_zero(key: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise ConfigError(f"{key}={value} must be above 0, and finite")
