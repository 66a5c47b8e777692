"""The keys of algo=curry_dpo."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from prefrun import ConfigError
from prefrun_pairwise.config import PairChoice


class Criterion(Enum):
    """What makes a pair easy."""

    scores = "a large gap of the data's scores"
    logps = "a large gap of the start model's log-probs"


class Order(Enum):
    """In what order the stages follow each other."""

    easy_to_hard = "the curriculum"
    hard_to_easy = "reversed (ablation)"
    random = "pairs dealt to stages at random (ablation)"


class StageReference(Enum):
    """The reference of a stage."""

    previous = "the model as the stage begins"
    start = "the start model"


@dataclass
class CurryDpoConfig:
    """Curri-DPO (arXiv 2403.07230)."""

    base: str = "dpo"
    """The loss, any installed one that learns from pairs."""
    base_keys: dict[str, Any] = field(default_factory=dict)
    """Its keys: +algo.base_keys.beta=0.1."""
    pairs: PairChoice = PairChoice.best_vs_rest
    """best_vs_rest (the paper), all or best_vs_worst (one pair a prompt)."""
    stages: int = 3
    """Stages, >= 1; those without a pair are left out."""
    criterion: Criterion = Criterion.scores
    """scores or logps: whose gap is large in an easy pair."""
    order: Order = Order.easy_to_hard
    """easy_to_hard, hard_to_easy or random."""
    reference: StageReference = StageReference.previous
    """previous: every stage is a training of its own, with the trainer's steps and a new optimizer,
    from and against the model of the stage before; start: one training with the trainer's steps,
    through all stages in equal shares, against the start model."""

    def __post_init__(self) -> None:
        if self.stages < 1:
            raise ConfigError(f"algo.stages={self.stages} must be at least 1")
