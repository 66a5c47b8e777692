"""The keys of algo=lipo, with the paper's defaults."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from prefrun import ConfigError

LOSSES = (
    "lambda",
    "pair_logistic",
    "pair_hinge",
    "list_mle",
    "softmax",
    "point_mse",
    "point_sigmoid",
)
Loss = Enum("Loss", list(LOSSES))


class Labels(Enum):
    """How scores become labels psi in [0, 1]."""

    bradley_terry = "mean over the list of sigmoid(score_k - score_i), k = i included"
    ranks = "the same of 1 where k ranks above i, 0.5 at a tie, else 0"
    min_max = "(score - lowest) / (highest - lowest) of the list"
    given = "the scores as they are; refused outside [0, 1]"


class Reduction(Enum):
    """What the batch's mean counts."""

    mean_pairs = "RAX: all pairs (items, lists) of the batch"
    sum_per_list = "the paper's formula: lists, each with its sum"


class Scale(Enum):
    """Factor of the lambda weights."""

    rax = "the list's number of answers"
    paper = "none"


class LogBase(Enum):
    """Base of the logarithm in the discount."""

    two = "2"
    e = "e"


class Gain(Enum):
    """Gain of a label."""

    exp2 = "2^psi - 1"
    linear = "psi"
    constant = "every gap counts 1"


class Discount(Enum):
    """Discount of a rank."""

    log = "1 / log(1 + rank)"
    constant = "every gap counts 1"


class SoftmaxLabels(Enum):
    """Labels of the softmax loss."""

    normalized = "divided by their sum (the paper)"
    raw = "as they are (RAX)"


@dataclass
class LipoConfig:
    """LiPO (arXiv 2402.01878)."""

    loss: Loss = Loss["lambda"]
    """lambda, pair_logistic, pair_hinge, list_mle, softmax, point_mse or point_sigmoid."""
    beta: float = 0.05
    """Scale of the implied reward s = beta * (log pi - log pi_ref), > 0."""
    labels: Labels = Labels.bradley_terry
    """How the data's scores become labels in [0, 1]: bradley_terry, ranks, min_max or given."""
    reduction: Reduction = Reduction.mean_pairs
    """mean_pairs (RAX, what the authors ran) or sum_per_list (the printed formula)."""
    lambda_scale: Scale = Scale.rax
    """rax: lambda weights times the list's length; paper: no factor."""
    log_base: LogBase = LogBase.two
    """Base of the discount's logarithm: two (RAX) or e (printed formula)."""
    gain: Gain = Gain.exp2
    """exp2, linear or constant."""
    discount: Discount = Discount.log
    """log or constant."""
    topn: int | None = None
    """Ranks beyond it are worth nothing, >= 1; null = no cut."""
    normalize_dcg: bool = False
    """Divide the gains by the list's ideal DCG."""
    softmax_labels: SoftmaxLabels = SoftmaxLabels.normalized
    """Labels of loss=softmax: normalized (the paper) or raw (RAX)."""

    def __post_init__(self) -> None:
        if not 0 < self.beta < math.inf:
            raise ConfigError(f"algo.beta={self.beta} must be above 0, and finite")
        if self.topn is not None and self.topn < 1:
            raise ConfigError(f"algo.topn={self.topn} must be at least 1, or null")
        if self.normalize_dcg and "constant" in (self.gain.name, self.discount.name):
            raise ConfigError(
                "algo.normalize_dcg=true needs algo.gain and algo.discount not constant"
            )
