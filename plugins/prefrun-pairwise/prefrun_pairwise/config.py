"""The keys of algo=dpo."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum

from prefrun import ConfigError
from prefrun_pairwise.catalog import DIVERGENCES, PAIR_LOSSES, check_losses

Loss = Enum("Loss", list(PAIR_LOSSES))
Divergence = Enum("Divergence", list(DIVERGENCES))


class PairChoice(Enum):
    """Which pairs of a list of answers are compared; answers that tie make no pair."""

    all = "every pair"
    best_vs_rest = "the best answer against each other one"
    best_vs_worst = "one pair a list"


class IpoNormalize(Enum):
    """What ipo divides a log-ratio by."""

    token = "the answer's length (TRL)"
    sum = "nothing (the paper)"


@dataclass
class DpoConfig:
    """DPO (arXiv 2305.18290) and its variants."""

    loss: Loss = Loss["sigmoid"]
    """sigmoid is DPO. `prefrun explain dpo` lists all and their formulas."""
    loss_weight: float = 1.0
    """Weight of `loss` beside `extra_losses`, >= 0."""
    extra_losses: dict[str, float] = field(default_factory=dict)
    """Further losses and their weights, added up (MPO), such as {bco_pair: 0.2, sft: 1.0}."""
    beta: float = 0.1
    """Strength of the pull to the reference, > 0."""
    pairs: PairChoice = PairChoice.all
    """all, best_vs_rest or best_vs_worst; the same for two answers."""
    label_smoothing: float = 0.0
    """Assumed share of flipped labels, in [0, 0.5); read by cdpo, robust, exo_pair, aot."""
    divergence: Divergence = Divergence["reverse_kl"]
    """reverse_kl, forward_kl, js_divergence or alpha_divergence (f-DPO)."""
    divergence_alpha: float = 0.5
    """alpha of alpha_divergence."""
    ld_alpha: float | None = None
    """LD-DPO: weight of the tokens beyond the pair's shorter answer, in [0, 1]; null = off."""
    ld_reference: bool = True
    """LD-DPO: weight the reference's tokens, too (TRL), or the policy's only (LLaMA-Factory)."""
    wpo: bool = False
    """WPO: weight each pair by how likely the policy is to write it."""
    gamma: float = 1.0
    """dpo_gamma: how much the reference counts; 1 is DPO, 0 is reference-free."""
    poly_alpha: float = 0.0
    """poly: weight of its term, >= -1; above 0 for noisy labels, 0 is DPO."""
    ipo_normalize: IpoNormalize = IpoNormalize.token
    """ipo: token divides each log-ratio by its length (TRL), sum does not (the paper)."""
    discopop_tau: float = 0.05
    """discopop: temperature, in (0, 1]."""

    def __post_init__(self) -> None:
        if not 0 < self.beta < math.inf:
            raise ConfigError(f"algo.beta={self.beta} must be above 0, and finite")
        if self.ld_alpha is not None and not 0 <= self.ld_alpha <= 1:
            raise ConfigError(f"algo.ld_alpha={self.ld_alpha} must be in [0, 1], or null")
        if not 0 < self.discopop_tau <= 1:
            raise ConfigError(f"algo.discopop_tau={self.discopop_tau} must be in (0, 1]")
        check_poly_alpha("algo.poly_alpha", self.poly_alpha)
        negative = {name: weight for name, weight in self.mix().items() if not weight >= 0}
        if negative:
            raise ConfigError(f"algo.extra_losses: {negative} must be at least 0")
        try:
            check_losses(
                list(self.mix()),
                label_smoothing=self.label_smoothing,
                divergence=self.divergence.name,
                gamma=self.gamma,
                weighting=self.wpo,
            )
        except ValueError as error:
            raise ConfigError(f"algo.{error}") from error

    def mix(self) -> dict[str, float]:
        """Every loss of the sum with its weight."""
        return {self.loss.name: self.loss_weight} | dict(self.extra_losses)


def check_poly_alpha(key: str, alpha: float) -> None:
    """Raise ConfigError where the polynomial term would turn the gradient around."""
    if not -1 <= alpha < math.inf:
        raise ConfigError(
            f"{key}={alpha} must be at least -1, and finite: below, pairs that are ranked right "
            "are pushed back"
        )
