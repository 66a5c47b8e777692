"""The keys of what ships with prefrun itself. Standard library only."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from prefrun.errors import ConfigError
from prefrun.nested_keys import nested
from prefrun.path_keys import Holds, path_key


@dataclass
class EvaluateConfig:
    """Measure a model, train nothing; no keys."""


@dataclass
class NoTrackerConfig:
    """No tracker; no keys."""


@dataclass
class NoModelConfig:
    """No language model, for algorithms that use none; no keys."""


@dataclass
class DataRewardConfig:
    """The judge that comes with the data; no keys."""


@dataclass
class SeveralRewardsConfig:
    """Several rewards, one per objective."""

    parts: dict[str, Any] = nested("reward", several=True)
    """Reward component by objective: '+reward@reward.parts.NAME=classifier' adds one."""
    weights: dict[str, float] = field(default_factory=dict)
    """Weight of each objective in the overall score; those left out weigh 1."""

    def __post_init__(self) -> None:
        if not self.parts:
            raise ConfigError(
                "reward=several has no parts\n  remedy: for example "
                "'+reward@reward.parts.helpfulness=classifier' "
                "reward.parts.helpfulness.path=FOLDER"
            )
        for name, weight in self.weights.items():
            if name not in self.parts:
                known = ", ".join(self.parts)
                raise ConfigError(f"reward.weights.{name}: no such part. Parts: {known}")
            if not math.isfinite(weight):
                raise ConfigError(f"reward.weights.{name}={weight} must be finite")


class ModelDType(Enum):
    """Number format of a model's weights."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


class ModelDevice(Enum):
    """Where a model lives."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


@dataclass
class ClassifierRewardConfig:
    """A reward model: any sequence-classification model."""

    path: str = path_key("???", Holds.model)
    """Folder or hub name."""
    label: str | None = None
    """The output that is the reward, by its name or number; null = the only one."""
    batch_size: int = 16
    """Texts scored at once."""
    max_length: int = 1024
    """Tokens of prompt and answer; a longer text loses its beginning."""
    dtype: ModelDType = ModelDType.auto
    """auto = as the weights were saved; on a CPU float32."""
    device: ModelDevice = ModelDevice.auto
    """auto = a GPU where there is one."""

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ConfigError(f"reward.batch_size={self.batch_size} must be at least 1")
        if self.max_length < 2:
            raise ConfigError(f"reward.max_length={self.max_length} must be at least 2")


class TiePolicy(Enum):
    """What an equal likelihood of two answers of different quality counts."""

    ge = "ge"
    strict = "strict"


@dataclass
class RankingAccuracyConfig:
    """Does the policy find the better answers likelier?"""

    tie_policy: TiePolicy = TiePolicy.ge
    """Equal likelihoods are right (ge, the paper's definition) or wrong (strict, its code)."""
    tie_tolerance: float = 0.01
    """Equally good answers must be less than this apart: in mean token probability for the
    normalized accuracies, in nats for the others."""

    def __post_init__(self) -> None:
        if not self.tie_tolerance >= 0:
            raise ConfigError(
                f"evaluator.ranking_accuracy.tie_tolerance={self.tie_tolerance} must be at least 0"
            )


@dataclass
class WinRateConfig:
    """How often the policy's answer beats the starting model's."""

    tie_margin: float = 0.0
    """Rewards at most this far apart are a tie, which counts one half."""

    def __post_init__(self) -> None:
        if not self.tie_margin >= 0:
            raise ConfigError(f"evaluator.win_rate.tie_margin={self.tie_margin} must be at least 0")


@dataclass
class RewardConfig:
    """Mean reward of the policy's answers; no keys."""


@dataclass
class KLConfig:
    """Divergence of the policy from the starting model; no keys."""


@dataclass
class ResponseLengthConfig:
    """Mean length of the policy's answers; no keys."""


DEFAULT_ALPHA = 32


@dataclass
class LoraSettings:
    """A new low-rank adapter (Hu et al. 2021). The reference is the same model without it."""

    rank: int = 0
    """Rank of the adapters; 0 = none, all weights are trained."""
    alpha: int = DEFAULT_ALPHA
    """The adapters' output is scaled by alpha / rank."""
    dropout: float = 0.0
    """0: preference training runs without dropout, for policy and reference to agree."""
    target_modules: list[str] | None = None
    """Names of the linear layers that get one; null = all of them but the head."""

    def __post_init__(self) -> None:
        if self.rank < 0:
            raise ConfigError(f"model.lora.rank={self.rank} must be at least 0")
        if not self.alpha > 0:
            raise ConfigError(f"model.lora.alpha={self.alpha} must be above 0")
        if self.dropout != 0:
            raise ConfigError(
                f"model.lora.dropout={self.dropout}: preference training runs without dropout\n"
                "  remedy: leave it out"
            )
        if self.rank == 0 and (self.alpha, self.target_modules) != (DEFAULT_ALPHA, None):
            key = "target_modules" if self.target_modules is not None else "alpha"
            raise ConfigError(
                f"model.lora.{key}={getattr(self, key)} does nothing with model.lora.rank=0\n"
                "  remedy: model.lora.rank=8, or leave it out"
            )


class AdapterUse(Enum):
    """What is done with a stored adapter that a run starts from."""

    auto = "stack with model.lora.rank above 0, else train"
    train = "the adapter is trained on"
    stack = "it is frozen, and a new one of model.lora.rank is trained on top"
    merge = "it is added to the weights, and all of them are trained"


@dataclass
class HFModelConfig:
    """Any causal language model of transformers."""

    name: str = path_key("???", Holds.model)
    """Local folder of a model or a LoRA adapter, a .gguf file, or a model's name on the Hugging
    Face hub."""
    revision: str | None = None
    """Branch, tag or commit on the hub; null = its main branch."""
    dtype: ModelDType = ModelDType.auto
    """auto = as the weights were saved; on a CPU float32."""
    attention: str | None = None
    """segments (CPU), flex (CUDA) or dense pack each tree into one row; sdpa, eager,
    flash_attention_2 and the like put each answer into a row of its own; null = the fastest packing
    that gives the model's log-probs."""
    device: ModelDevice = ModelDevice.auto
    """auto = a GPU where there is one."""
    adapter: AdapterUse = AdapterUse.auto
    """If `name` is an adapter: train = it is trained on; stack = a new one of lora.rank is trained
    on top of it, and both are saved as one; merge = it is added to the weights, and all are
    trained; auto = stack with lora.rank above 0, else train. The reference has it in any case."""
    template: dict[str, Any] = field(default_factory=dict)
    """Values of arguments that the chat template reads, such as template.enable_thinking=false;
    they become its defaults, also in the saved model."""
    lora: LoraSettings = field(default_factory=LoraSettings)


@dataclass
class RewardHeadConfig:
    """A reward model on top of a language model."""

    base: Any = nested("model")
    """The language model whose body it has: model@model.base=NAME, any text model, such as hf."""
