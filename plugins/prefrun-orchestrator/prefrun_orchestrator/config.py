"""The keys of algo=orchestrator, data=topics and evaluator=objectives. Standard library only."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from prefrun import ConfigError, Holds, path_key


class Stage2(Enum):
    """What is trained with the weights."""

    none = "the adapter only; no language model"
    offline = "a loss on the records' answers, relabelled by the weighted sum"
    online = "policy gradient on sampled answers, rewarded by the weighted sum"
    conditioned = "likelihood of the best answers, with the weights in the prompt"


class RewardsFrom(Enum):
    """Where the rewards of the records' answers come from."""

    records = "the records' own scores"
    reward = "the run's reward scores the answers"


class RewardNorm(Enum):
    """How objectives of different scales are made comparable, over all training answers."""

    none = "as they are"
    zscore = "less the mean, divided by the standard deviation"
    minmax = "0 at the lowest, 1 at the highest"


class TargetSource(Enum):
    """Which rewards the target weights are the softmax of."""

    chosen = "those of the preferred answer"
    chosen_minus_rejected = "the preferred answer's less the worst answer's"


class KLDirection(Enum):
    """Which divergence the adapter minimises."""

    forward = "KL(target || predicted)"
    reverse = "KL(predicted || target)"


class EncoderKind(Enum):
    """What reads a prompt."""

    hash = "mean of 4096 hashed word embeddings"
    hf = "a transformers encoder, mean over tokens"


class Answers(Enum):
    """Which answers the offline loss gets."""

    best_and_worst = "the highest and the lowest weighted sum"
    all = "all, scored by the weighted sum"


class Advantage(Enum):
    """What a sampled answer's reward is compared with."""

    grpo = "the group's mean, divided by its standard deviation"
    rloo = "the mean of the group's other answers"


@dataclass
class OrchestratorConfig:
    """Preference Orchestrator (arXiv 2511.10656)."""

    stage2: Stage2 = Stage2.none
    """none | offline | online | conditioned: what is trained with the weights."""
    objectives: list[str] = field(default_factory=list)
    """Names in order; [] = the reward's, else every score but the data's overall objective."""
    rewards: RewardsFrom = RewardsFrom.records
    """records | reward: where the rewards of the records' answers come from."""
    temperature: float = 0.1
    """T of the target softmax(r / T), above 0."""
    reward_norm: RewardNorm = RewardNorm.zscore
    """zscore | minmax | none (the paper), with statistics of all training answers."""
    target_source: TargetSource = TargetSource.chosen
    """chosen (the paper) | chosen_minus_rejected."""
    kl_direction: KLDirection = KLDirection.forward
    """forward: KL(target || predicted) | reverse."""
    entropy_coef: float = 0.0
    """c of -c H(predicted) in the adapter's loss, at least 0: against one-hot weights."""
    min_weight: float = 0.0
    """Predicted weights are raised to it, then renormalised; at least 0, below 1/K."""
    encoder: EncoderKind = EncoderKind.hash
    """hash: bag of hashed words | hf: a transformers encoder."""
    encoder_name: str | None = path_key(holds=Holds.model)
    """Folder or hub name for encoder=hf; null = FacebookAI/xlm-roberta-base (the paper's)."""
    max_length: int = 512
    """Tokens of a prompt that encoder=hf reads."""
    learning_rate: float | None = None
    """Of the adapter; null = 2e-5 for encoder=hf, 0.02 for encoder=hash."""
    weight_decay: float = 0.01
    """Of the adapter, biases and norms left out."""
    batch_size: int = 32
    """Prompts per step of the adapter."""
    epochs: float = 3.0
    """Passes of the adapter over the training records."""
    warmup: float = 0.05
    """Part of the adapter's steps over which its learning rate rises, in [0, 1]."""
    adapter: str | None = path_key()
    """Folder of an adapter that an earlier run trained; null = train one."""
    weights: list[float] = field(default_factory=list)
    """One per objective, for all prompts instead of the adapter's, renormalised; [] = none."""
    prompt_class: str | None = None
    """Metadata key that names a prompt's class in the report; null = topic, task or source."""
    base: str = "dpo"
    """stage2=offline: the loss, any loss algorithm that is installed."""
    base_keys: dict[str, Any] = field(default_factory=dict)
    """stage2=offline: keys of the loss."""
    answers: Answers = Answers.best_and_worst
    """stage2=offline: best_and_worst (pairs) | all (lists); tied ones are left out."""
    group_size: int = 4
    """stage2=online: sampled answers per prompt, at least 2."""
    advantage: Advantage = Advantage.grpo
    """stage2=online: grpo | rloo."""
    kl_coef: float = 0.05
    """stage2=online: beta, weight of the KL from the start model, at least 0."""

    def __post_init__(self) -> None:
        _above_zero("algo.temperature", self.temperature)
        _at_least("algo.entropy_coef", self.entropy_coef, 0)
        _at_least("algo.min_weight", self.min_weight, 0)
        _at_least("algo.max_length", self.max_length, 1)
        _at_least("algo.weight_decay", self.weight_decay, 0)
        _at_least("algo.batch_size", self.batch_size, 1)
        _above_zero("algo.epochs", self.epochs)
        _at_least("algo.group_size", self.group_size, 2)
        _at_least("algo.kl_coef", self.kl_coef, 0)
        if self.learning_rate is not None:
            _above_zero("algo.learning_rate", self.learning_rate)
        if not 0 <= self.warmup <= 1:
            raise ConfigError(f"algo.warmup={self.warmup} must be in [0, 1]")
        if len(set(self.objectives)) < len(self.objectives):
            raise ConfigError(f"algo.objectives={list(self.objectives)} names one twice")
        if self.weights:
            check_weights("algo.weights", self.weights)
            if self.adapter is not None:
                raise ConfigError(
                    "algo.weights and algo.adapter name two sources of weights: give one"
                )
        if self.encoder_name is not None and self.encoder is not EncoderKind.hf:
            raise ConfigError(
                f"algo.encoder_name={self.encoder_name} is read with algo.encoder=hf only"
            )


@dataclass
class TopicsConfig:
    """Prompts of a few topics; the preferred answer follows the topic's true weights."""

    train_records: int = 400
    """Training prompts, at least 1."""
    test_records: int = 200
    """Held-out prompts, at least 1."""
    topics: int = 4
    """Topics, at least 1."""
    objectives: int = 3
    """K, at least 2; their names are r1, r2, ..."""
    candidates: int = 8
    """Answers per prompt, at least 2."""
    tokens: int = 20
    """Words of a prompt, at least 1."""
    concentration: float = 0.5
    """Of the Dirichlet distribution of a topic's true weights, above 0."""
    noise: float = 0.05
    """Standard deviation of what a training preference errs by, at least 0."""
    scales: list[float] = field(default_factory=list)
    """One factor above 0 per objective, as of reward models on other scales; [] = 1."""
    offsets: list[float] = field(default_factory=list)
    """One number per objective, added after the factor; [] = 0."""

    def __post_init__(self) -> None:
        for name, least in (
            ("train_records", 1),
            ("test_records", 1),
            ("topics", 1),
            ("objectives", 2),
            ("candidates", 2),
            ("tokens", 1),
            ("noise", 0),
        ):
            _at_least(f"data.{name}", getattr(self, name), least)
        _above_zero("data.concentration", self.concentration)
        for key, numbers in (("scales", self.scales), ("offsets", self.offsets)):
            if numbers and len(numbers) != self.objectives:
                raise ConfigError(
                    f"data.{key}={list(numbers)} has {len(numbers)} numbers for "
                    f"data.objectives={self.objectives}"
                )
            if not all(math.isfinite(number) for number in numbers):
                raise ConfigError(f"data.{key}={list(numbers)} must be finite")
        if any(scale <= 0 for scale in self.scales):
            raise ConfigError(f"data.scales={list(self.scales)} must be above 0")


@dataclass
class ObjectivesConfig:
    """Mean of each objective over the policy's sampled answers."""

    adapter: str | None = path_key()
    """Folder of a saved adapter whose weights make the weighted sum; null = no weighted sum."""


def check_weights(key: str, weights: list[float]) -> None:
    """Raise ConfigError, naming KEY, unless WEIGHTS are finite, at least 0 and not all 0."""
    if not all(math.isfinite(weight) and weight >= 0 for weight in weights):
        raise ConfigError(f"{key}={list(weights)} must be finite numbers of at least 0")
    if not any(weights):
        raise ConfigError(
            f"{key}={list(weights)} is a zero vector: it prefers nothing\n"
            "  remedy: give at least one objective a weight above 0"
        )


def _at_least(key: str, value: float, minimum: float) -> None:
    if not (value >= minimum and math.isfinite(value)):
        raise ConfigError(f"{key}={value} must be at least {minimum}, and finite")


def _above_zero(key: str, value: float) -> None:
    if not (value > 0 and math.isfinite(value)):
        raise ConfigError(f"{key}={value} must be above 0, and finite")
