"""The keys of algo=tpo and data=gsm8k_trees. Standard library only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from prefrun.errors import ConfigError
from prefrun.records.config import FileDataConfig


class Aggregation(Enum):
    """How a branch's steps become its reward."""

    sum_tokens = "weighted sum over steps of the sum over their tokens"
    step_mean = "weighted mean over steps of the mean over their tokens"


class SimilaritySign(Enum):
    """What a step that is like the reference branch's counts."""

    plus = "more: w = 1 + cos"
    minus = "less: w = 1 - cos"
    none = "as much as any other: w = 1"


class ReferenceBranch(Enum):
    """The branch whose steps the others' are compared with."""

    best = "the one with the highest label"
    first = "the first of the record"


class Labels(Enum):
    """How scores become labels in [0, 1]."""

    min_max = "(score - lowest) / (highest - lowest) of the tree"
    hundred = "(score + 100) / 200: scores in -100..100, as in the official data"
    given = "the scores as they are; refused outside [0, 1]"


@dataclass
class TpoConfig:
    """Tree Preference Optimization (arXiv 2410.12854)."""

    beta: float = 0.4
    """Scale of the implied reward, > 0."""
    aggregation: Aggregation = Aggregation.sum_tokens
    """sum_tokens (DPO's reward where all weights are 1) or step_mean (length-normalised)."""
    similarity_sign: SimilaritySign = SimilaritySign.plus
    """plus (both official code versions), minus, or none: no step weights."""
    reference_branch: ReferenceBranch = ReferenceBranch.best
    """best or first (the official data put the gold solution first)."""
    merge_late_steps: bool = True
    """Steps beyond the shortest branch's count as part of its last one."""
    detach_step_weights: bool = True
    """No gradient through the step weights."""
    labels: Labels = Labels.min_max
    """How the data's scores become labels in [0, 1]: min_max, hundred or given."""

    def __post_init__(self) -> None:
        if not 0 < self.beta < math.inf:
            raise ConfigError(f"algo.beta={self.beta} must be above 0, and finite")


@dataclass
class Gsm8kTreesConfig(FileDataConfig):
    """Trees from lists of solutions with one step a line."""

    max_branches: int | None = None
    """Branches kept of a record, the gold solution always; >= 2; null = all."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.path is None:
            raise ConfigError("data=gsm8k_trees needs data.path=FILE: it has no data of its own")
        if self.max_branches is not None and self.max_branches < 2:
            raise ConfigError(f"data.max_branches={self.max_branches} must be at least 2, or null")
