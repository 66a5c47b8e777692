"""The keys of algo=sparsepo and of data=count_sevens. Standard library only."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum

from prefrun import ConfigError


class Variant(Enum):
    """Where the masks come from."""

    common = "one learned mask for reward and KL"
    independent = "two learned masks"
    mapo = "the reference's activations (MaPO)"
    ones = "all 1: TDPO"


MASK_MODELS = (
    "simple_all",
    "simple_last",
    "ml_all",
    "ml_last",
    "binary_all",
    "binary_last",
    "random",
)
MaskModel = Enum("MaskModel", list(MASK_MODELS))
ACTIVATIONS = ("mlp", "attention", "residual", "logits")


@dataclass
class SparsePoConfig:
    """SparsePO and MaPO (arXiv 2410.05102)."""

    variant: Variant = Variant.common
    """common, independent, mapo, or ones, which is TDPO."""
    beta: float = 0.1
    """Scale of the margin, > 0."""
    mask_on_reward: bool = True
    """Whether the log-ratios are masked; false weighs each 1."""
    mask_on_kl: bool = True
    """Whether the KL terms are masked; false weighs each 1."""
    mask_model: MaskModel = MaskModel["simple_all"]
    """simple, ml or binary heads on all layers or the last; or random numbers."""
    initial_mask: float | None = None
    """Learned masks begin near this number, > 0; null = torch's random weights, as officially."""
    mask_dropout: float = 0.01
    """In the heads, in [0, 1)."""
    mask_weight_decay: float = 0.01
    """Of the heads, biases and norms left out, >= 0."""
    mask_learning_rate: float | None = None
    """Of the heads, > 0; null = the trainer's."""
    l1_reward: float = 0.0
    """Weight of the L1 norm of the reward masks, >= 0."""
    l1_kl: float = 0.0
    """Weight of the L1 norm of the KL masks, >= 0; a common mask has both."""
    label_smoothing: float = 0.0
    """Assumed share of flipped labels, in [0, 0.5)."""
    activations: list[str] = field(default_factory=lambda: list(ACTIVATIONS))
    """variant=mapo: mlp, attention, residual, logits, or some of them."""

    def __post_init__(self) -> None:
        for key in ("beta", "initial_mask", "mask_learning_rate"):
            value = getattr(self, key)
            if value is not None and not 0 < value < math.inf:
                raise ConfigError(f"algo.{key}={value} must be above 0, and finite")
        for key in ("mask_weight_decay", "l1_reward", "l1_kl"):
            if not 0 <= getattr(self, key) < math.inf:
                raise ConfigError(f"algo.{key}={getattr(self, key)} must be at least 0, and finite")
        if not 0 <= self.mask_dropout < 1:
            raise ConfigError(f"algo.mask_dropout={self.mask_dropout} must be in [0, 1)")
        if not 0 <= self.label_smoothing < 0.5:
            raise ConfigError(f"algo.label_smoothing={self.label_smoothing} must be in [0, 0.5)")
        unknown = [name for name in self.activations if name not in ACTIVATIONS]
        if unknown or not self.activations:
            raise ConfigError(
                f"algo.activations={self.activations}: choose one or more of "
                f"{', '.join(ACTIVATIONS)}"
            )


@dataclass
class CountSevensConfig:
    """Random strings; the one with more sevens is better."""

    records: int = 1024
    """Training pairs, >= 1."""
    test_records: int = 256
    """Held-out pairs, >= 1."""
    length: int = 12
    """Characters of an answer, >= 1."""
    cue: float = 0.0
    """Probability that a 'j' is followed by a 7, in [0, 1); 0 = all characters are independent."""
    generator_seed: int = 0
    """Of the strings."""

    def __post_init__(self) -> None:
        for key in ("records", "test_records", "length"):
            if getattr(self, key) < 1:
                raise ConfigError(f"data.{key}={getattr(self, key)} must be at least 1")
        if not 0 <= self.cue < 1:
            raise ConfigError(f"data.cue={self.cue} must be at least 0 and below 1")
