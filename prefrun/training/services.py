"""What the host lends to an algorithm that owns its run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from prefrun.algorithm import LossAlgorithm
    from prefrun.policy.batch import BranchBatch
    from prefrun.policy.policy import BranchLogps, LoadedModel, Policy
    from prefrun.records.split import DataSplit
    from prefrun.records.tree import PreferenceTree
    from prefrun.reward import Reward
    from prefrun.rundir.run import Run
    from prefrun.schema import CacheConfig, EvaluationConfig, TrainerConfig
    from prefrun.training.step_loop import StepLoop

    Records = Callable[[int, Policy], Sequence[PreferenceTree]]
    """The records of a step, from 0, made with the policy as it then is."""


class Settings(Protocol):
    """The host's own sections of the configuration."""

    @property
    def seed(self) -> int:
        """Of everything random in the run."""
        ...

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
        the last checkpoint. A finished round gives its weights back as long as they are among the
        run's last trainer.keep_checkpoints checkpoints; else it does nothing, since those of a
        later round follow.
        """
        ...

    def online(
        self,
        algorithm: LossAlgorithm,
        records: Records,
        steps: int | None = None,
        renew_reference: int | None = None,
    ) -> Policy:
        """Train the run's model with a loss on new records in every step; return it as a policy.

        RECORDS is called once a step; what is random in it should follow the step's number, for a
        resumed run to go on with the same ones. STEPS: None = trainer.max_steps. The reference is
        the start model; RENEW_REFERENCE: from then on the policy as it was so many steps ago, at
        every such number of steps. One optimizer and schedule, all keys of `trainer.*` but epochs
        and batch_size; checkpoints and resuming as in `train`. At most once in a run.
        """
        ...

    def optimise(self, loop: StepLoop) -> None:
        """Carry out a training of one's own: see `StepLoop`.

        Under all keys of `trainer.*` that concern steps: optimizer, schedule, clipping, logging,
        checkpoints, gradient_checkpointing, compile (of the run's model), on_empty_step. A resumed
        run goes on from the last checkpoint to the same numbers. Several in a run need names.
        Raises PrefrunError if a loss or gradient is not finite or the disk is full.
        """
        ...

    def token_logps(
        self, trees: Sequence[PreferenceTree], needs: frozenset[str] = frozenset()
    ) -> BranchBatch:
        """Return the model's numbers on TREES with gradient, as a loss sees them.

        All go through the model at once, a shared prompt once; `in_budget` says how many may.
        Branches with `ids` are scored token for token. NEEDS: as `LossAlgorithm.needs`.
        """
        ...

    def in_budget(self, trees: Sequence[PreferenceTree]) -> list[list[PreferenceTree]]:
        """Return TREES in parts of up to trainer.micro_batch_tokens, in their order."""
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
