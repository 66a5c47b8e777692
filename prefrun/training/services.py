"""What the host lends to an algorithm that owns its run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from prefrun.algorithm import LossAlgorithm
    from prefrun.policy.policy import BranchLogps, LoadedModel, Policy
    from prefrun.records.split import DataSplit
    from prefrun.records.tree import PreferenceTree
    from prefrun.reward import Reward
    from prefrun.rundir.run import Run
    from prefrun.schema import CacheConfig, EvaluationConfig, TrainerConfig


class Settings(Protocol):
    """The host's own sections of the configuration."""

    @property
    def trainer(self) -> TrainerConfig:
        """How the host trains."""
        ...

    @property
    def evaluation(self) -> EvaluationConfig:
        """How the policy is measured."""
        ...

    @property
    def cache(self) -> CacheConfig:
        """Where reference log-probs are kept."""
        ...


class Services(Protocol):
    """Handed to `RunAlgorithm.run` and `DecodingAlgorithm.wrap`."""

    @property
    def run(self) -> Run:
        """The run's identity and its directory."""
        ...

    @property
    def config(self) -> Settings:
        """Trainer, evaluation and cache settings."""
        ...

    @property
    def data(self) -> DataSplit:
        """The records."""
        ...

    @property
    def reward(self) -> Reward | None:
        """The chosen reward, if any."""
        ...

    @property
    def loaded(self) -> LoadedModel:
        """The model to train, with its tokenizer."""
        ...

    def policy(self) -> Policy:
        """The model being trained, as a policy."""
        ...

    def reference(self) -> Policy:
        """The frozen start model, as a policy."""
        ...

    def policy_of(self, loaded: LoadedModel) -> Policy:
        """LOADED, such as a judge of the algorithm's own, as a policy under the run's limits."""
        ...

    def reference_logps(self, trees: list[PreferenceTree]) -> list[BranchLogps]:
        """Reference log-probs, from the cache where they are known."""
        ...

    def train(
        self,
        algorithm: LossAlgorithm,
        trees: Sequence[PreferenceTree] | None = None,
        round: int | None = None,
    ) -> Policy:
        """Train the run's model with a loss by the host's loop, and return it as a policy.

        TREES: the records to train on, which `algorithm.prepare` gets; None = the data's. Without
        a ROUND at most once in a run. Rounds 0, 1, 2, ... follow each other: each has the
        trainer's steps and a new optimizer, and its reference is the model as the round begins,
        which the algorithm may have changed since the round before. A resumed run goes on from
        the last checkpoint, and a finished round only gives its weights back.
        """
        ...

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Add a line to metrics.jsonl and tell trackers and hooks."""
        ...

    def step_done(self, step: int, steps: int) -> None:
        """Count an optimizer step of a loop of one's own: STEP of STEPS, from 1."""
        ...

    def checkpoint_dir(self) -> Path:
        """Where checkpoints belong."""
        ...
