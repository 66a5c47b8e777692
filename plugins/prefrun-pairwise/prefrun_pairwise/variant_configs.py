"""The keys of the algorithms that are algo=dpo with a loss chosen."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import Enum

from prefrun import ConfigError
from prefrun_pairwise.config import DpoConfig, IpoNormalize, Loss, PairChoice, check_poly_alpha


@dataclass
class VariantConfig(ABC):
    """Keys that all of them have."""

    beta: float = 0.1
    """Strength of the pull to the reference, > 0."""
    pairs: PairChoice = PairChoice.all
    """all, best_vs_rest or best_vs_worst; the same for two answers."""

    def __post_init__(self) -> None:
        self.dpo()

    @abstractmethod
    def dpo(self) -> DpoConfig:
        """Return the same as a configuration of algo=dpo, which checks it."""


@dataclass
class IpoConfig(VariantConfig):
    """IPO (arXiv 2310.12036)."""

    normalize: IpoNormalize = IpoNormalize.token
    """token divides each log-ratio by its length (TRL), sum does not (the paper)."""

    def dpo(self) -> DpoConfig:
        """Return the configuration of algo=dpo."""
        return DpoConfig(
            Loss["ipo"], beta=self.beta, pairs=self.pairs, ipo_normalize=self.normalize
        )


@dataclass
class CdpoConfig(VariantConfig):
    """Conservative DPO (Mitchell 2023)."""

    label_smoothing: float = 0.1
    """Assumed share of flipped labels, in [0, 0.5); 0 is DPO."""
    unbiased: bool = False
    """false: cross-entropy to the smoothed label; true: robust DPO (arXiv 2403.00409)."""

    def dpo(self) -> DpoConfig:
        """Return the configuration of algo=dpo."""
        return DpoConfig(
            Loss["robust" if self.unbiased else "cdpo"],
            beta=self.beta,
            pairs=self.pairs,
            label_smoothing=self.label_smoothing,
        )


@dataclass
class LdDpoConfig(VariantConfig):
    """LD-DPO (arXiv 2409.06411)."""

    ld_alpha: float = 0.5
    """Weight of the tokens beyond the pair's shorter answer, in [0, 1]; 1 is DPO."""
    ld_reference: bool = True
    """Weight the reference's tokens, too (TRL); false: the policy's only (LLaMA-Factory)."""

    def dpo(self) -> DpoConfig:
        """Return the configuration of algo=dpo."""
        return DpoConfig(
            beta=self.beta,
            pairs=self.pairs,
            ld_alpha=self.ld_alpha,
            ld_reference=self.ld_reference,
        )


@dataclass
class DpoNormConfig(VariantConfig):
    """Length-normalised DPO (arXiv 2411.15124)."""

    beta: float = 5.0
    """Strength of the pull to the reference per token, > 0; the paper's value."""

    def dpo(self) -> DpoConfig:
        """Return the configuration of algo=dpo."""
        return DpoConfig(Loss["sigmoid_norm"], beta=self.beta, pairs=self.pairs)


@dataclass
class PolyDpoConfig(VariantConfig):
    """Poly-DPO (arXiv 2604.24953)."""

    alpha: float = 8.0
    """Weight of the term 1 - p, >= -1: above 0 for noisy, below 0 for too simple data; 0 is DPO."""
    normalize_init: bool = False
    """Divide the loss by 1 + alpha / 2, so that its first step is as large as that of DPO."""

    def dpo(self) -> DpoConfig:
        """Return the configuration of algo=dpo."""
        check_poly_alpha("algo.alpha", self.alpha)
        return DpoConfig(
            Loss["poly"],
            loss_weight=1 / (1 + self.alpha / 2) if self.normalize_init else 1.0,
            beta=self.beta,
            pairs=self.pairs,
            poly_alpha=self.alpha,
        )


class Difficulty(Enum):
    """Where the easiness of a pair comes from."""

    voted = "from the estimators' gaps, each on the scale of its own gaps"
    given = "the gap of the data's scores, which lie in [0, 1]"


class GapMode(Enum):
    """What a pair's gap counts."""

    abs = "its size (the official code)"
    relu = "its size, 0 where the chosen answer scores lower"
    inverse = "its size, as a divisor: hard pairs get the larger beta (ablation)"


@dataclass
class DaDpoConfig(VariantConfig):
    """DA-DPO (arXiv 2601.00623)."""

    loss: Loss = Loss["sigmoid"]
    """The loss whose beta is scaled, as of algo=dpo; not aot, aot_unpaired, sft."""
    poly_alpha: float = 0.0
    """loss=poly: weight of its term, >= -1; 0 is DPO."""
    label_smoothing: float = 0.0
    """Assumed share of flipped labels, in [0, 0.5), for the losses that read it."""
    db_alpha: float = 1.0
    """Multiplies every pair's weight, > 0; the mean beta grows with it."""
    gap_mode: GapMode = GapMode.abs
    """abs (the official code), relu or inverse."""
    difficulty: Difficulty = Difficulty.voted
    """voted: from `estimators` by distribution-aware voting; given: the data's scores' gap."""
    estimators: list[str] = field(default_factory=list)
    """Objectives of the data whose scores vote, such as two; empty = the data's own objective."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.db_alpha < math.inf:
            raise ConfigError(f"algo.db_alpha={self.db_alpha} must be above 0, and finite")
        if self.loss.name in ("aot", "aot_unpaired", "sft"):
            raise ConfigError(
                f"algo.loss={self.loss.name} has no beta for single pairs: choose another one"
            )
        if self.estimators and self.difficulty is Difficulty.given:
            raise ConfigError(
                f"algo.estimators={self.estimators} are only read with algo.difficulty=voted"
            )

    def dpo(self) -> DpoConfig:
        """Return the configuration of algo=dpo."""
        return DpoConfig(
            self.loss,
            beta=self.beta,
            pairs=self.pairs,
            poly_alpha=self.poly_alpha,
            label_smoothing=self.label_smoothing,
        )
