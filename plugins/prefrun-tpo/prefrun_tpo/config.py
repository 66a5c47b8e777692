"""The keys of all of this plugin's components. Standard library only."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum

from prefrun.builtin.config import LoraSettings, ModelDevice
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


class TrainBranches(Enum):
    """Branches of a record that is trained on; held-out records keep all."""

    all = "every branch"
    first_and_last = "a pair: the gold solution and the one that is known to be wrong"


@dataclass
class StepTreesConfig(FileDataConfig):
    """Trees whose responses are lists of steps, as algo=grow_trees and the official code write."""

    drop_unscored: bool = False
    """Leave out a response whose score is null, as a judge that failed gives; else an error."""
    train_branches: TrainBranches = TrainBranches.all
    """all, or first_and_last: only these of a training record; held-out records keep all."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.path is None:
            raise ConfigError(
                "data=step_trees needs data.path=FILE, such as the trees.jsonl.gz of a run of "
                "algo=grow_trees"
            )


@dataclass
class ChainArithmeticConfig:
    """Generated exercises: digits to add up, one a step, modulo 10."""

    records: int = 625
    """Exercises, train and test together, >= 2."""
    steps: int = 4
    """Steps of a solution, 2 to 99; the embedded model has learned 4."""
    branches: int = 3
    """Solutions cut at a random step and finished by a noisy solver, >= 0; those that come out as
    another branch are left out."""
    error_rate: float = 0.3
    """Part of the noisy solver's steps that are wrong, in [0, 1]."""
    generator_seed: int = 0
    """Other exercises and branches; the run's seed does not change them."""
    test_fraction: float = 0.2
    """Part held out for evaluation, above 0 and below 1; the same part whatever the seed."""

    def __post_init__(self) -> None:
        if self.records < 2:
            raise ConfigError(f"data.records={self.records} must be at least 2")
        if not 2 <= self.steps <= 99:
            raise ConfigError(f"data.steps={self.steps} must be from 2 to 99")
        if self.branches < 0:
            raise ConfigError(f"data.branches={self.branches} must be at least 0")
        if not 0 <= self.error_rate <= 1:
            raise ConfigError(f"data.error_rate={self.error_rate} must be in [0, 1]")
        if not 0 < self.test_fraction < 1:
            raise ConfigError(
                f"data.test_fraction={self.test_fraction} must be above 0 and below 1"
            )


@dataclass
class ChainRewardConfig:
    """The exact verifier of chain arithmetic; no keys."""


@dataclass
class SolutionRewardConfig:
    """Compares a solution's steps and final number with the record's best branch; no keys."""


@dataclass
class ChainModelConfig:
    """The small model that has learned chain arithmetic from noisy solutions, in float32."""

    attention: str | None = None
    """segments, flex or dense pack each tree into one row; sdpa or eager put each answer into a row
    of its own; null = the fastest packing."""
    device: ModelDevice = ModelDevice.auto
    """auto = a GPU where there is one."""
    lora: LoraSettings = field(default_factory=LoraSettings)
    """Train a low-rank adapter instead of all weights; the reference is then the bare model."""


@dataclass
class GrowTreesConfig:
    """Trees grown from a policy: it goes on where the gold solution is cut; a verifier scores."""

    branches: int = 3
    """Continuations sampled of each gold solution, >= 1."""
    temperature: float = 0.8
    """Of the sampled continuations, > 0; the official recipe's value."""
    max_new_tokens: int = 256
    """Longest continuation, tokens >= 1."""
    keep_worst: bool = True
    """Also keep the record's own worst branch, the known wrong solution, as the last one."""

    def __post_init__(self) -> None:
        if self.branches < 1:
            raise ConfigError(f"algo.branches={self.branches} must be at least 1")
        if not 0 < self.temperature < math.inf:
            raise ConfigError(
                f"algo.temperature={self.temperature} must be above 0, and finite: at 0 all "
                "continuations of a cut are the same"
            )
        if self.max_new_tokens < 1:
            raise ConfigError(f"algo.max_new_tokens={self.max_new_tokens} must be at least 1")


@dataclass
class TreeRankingConfig:
    """Does the implied reward order the branches of a tree as their scores do?"""

    shown_trees: int = 4
    """Held-out trees that are drawn in the report, >= 0."""

    def __post_init__(self) -> None:
        if self.shown_trees < 0:
            raise ConfigError(
                f"evaluator.tree_ranking.shown_trees={self.shown_trees} must be at least 0"
            )


@dataclass
class AnswerAccuracyConfig:
    """How many answers are right."""

    max_new_tokens: int = 256
    """Longest greedy answer, tokens >= 1."""

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise ConfigError(
                f"evaluator.answer_accuracy.max_new_tokens={self.max_new_tokens} must be at least 1"
            )
