"""One run's models, data and logs: the host's services, each made when first asked for."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from prefrun.console import progress
from prefrun.errors import PrefrunError
from prefrun.memory import LOADING, REFERENCE, naming_out_of_memory
from prefrun.notifying import notify
from prefrun.policy.adapter import has_adapter
from prefrun.policy.cache import ReferenceCache
from prefrun.policy.model_policy import ModelPolicy
from prefrun.policy.packing import Packing
from prefrun.policy.packing_choice import choose_packing
from prefrun.policy.policy import BranchLogps, LoadedModel, Policy
from prefrun.policy.reference import reference_logps
from prefrun.policy.tokenise import TokenisedTree, Tokeniser
from prefrun.policy.truncation import TruncationCount
from prefrun.records.split import DataSplit
from prefrun.records.tree import PreferenceTree
from prefrun.rundir.metrics import MetricsLog
from prefrun.rundir.run import Run
from prefrun.rundir.status import beat
from prefrun.sharing import sharing
from prefrun.tracker import Tracker
from prefrun.training.usable import Usable, usable_records

if TYPE_CHECKING:
    from prefrun.algorithm import LossAlgorithm
    from prefrun.job import Job

SAMPLED_RECORDS = 8
"""Training records whose text the model is checked on."""


class Session:
    """Implements `Services` and the trainer's `Listener`."""

    def __init__(self, run: Run, job: Job, tracker: Tracker) -> None:
        self.run, self.config, self.reward = run, job.plan, job.reward
        self.directory = job.directory
        self.truncation = TruncationCount()
        self.steps = self.tokens = 0
        self.show: Callable[[int, int], None] = lambda done, total: None
        self._plan, self._tracker = job.plan, tracker
        self._start = ""
        self._given, self._uses_model = job.data, job.algorithm.uses_model
        self._metrics = MetricsLog(job.directory.metrics)

    @cached_property
    @naming_out_of_memory(LOADING)
    def loaded(self) -> LoadedModel:
        """The model to train, with its tokenizer."""
        return self._load()

    @naming_out_of_memory(LOADING)
    def load_again(self) -> LoadedModel:
        """Let go of a model that was trained in shards, and return a whole one for its weights."""
        self.__dict__["loaded"] = self._load()
        return self.loaded

    def _load(self) -> LoadedModel:
        """Load the start model. Raises PrefrunError if it is no longer the one that was loaded."""
        loaded: LoadedModel = self._plan.build("model").load()
        self._start = self._start or loaded.fingerprint
        if loaded.fingerprint != self._start:
            raise PrefrunError(
                f"the start model {loaded.name}, loaded again, is another one: fingerprint "
                f"{self._start[:12]}, now {loaded.fingerprint[:12]}\n"
                "  remedy: if its files were overwritten, restore them and `prefrun resume` the "
                "run directory; a model's class must give the same weights each time"
            )
        return loaded

    @cached_property
    def tokeniser(self) -> Tokeniser:
        """Turns trees into token ids under the run's length limits."""
        return self._tokeniser_of(self.loaded)

    def _tokeniser_of(self, loaded: LoadedModel) -> Tokeniser:
        trainer = self.config.trainer
        return Tokeniser(
            loaded.tokenizer, trainer.max_length, trainer.max_prompt_length, trainer.truncation
        )

    @cached_property
    def data(self) -> DataSplit:
        """The records, without those that the model cannot use. Raises DataError."""
        return self.usable.split if self._uses_model else self._given

    @cached_property
    def usable(self) -> Usable:
        """The records as the model reads them. Raises DataError; see `usable_records`.

        A sweep whose jobs share data and model keeps the tokens, and with them their tries.
        """
        data, settings = self._given, self._plan.settings["data"]
        return sharing.get(
            "tokens",
            (id(data), self._plan.key("data", "model"), self._plan.length_limits),
            lambda: usable_records(self.tokeniser, data, getattr(settings, "on_bad_record", None)),
        )

    @cached_property
    def cache(self) -> ReferenceCache | None:
        """The cache of reference log-probs; None where it is switched off."""
        settings = self.config.cache
        return ReferenceCache.at(settings.dir, settings.max_gb) if settings.enabled else None

    @cached_property
    def packing(self) -> Packing:
        """How trees become rows of the model's input. Raises ConfigError; see `choose_packing`."""
        return sharing.get(
            "packing",
            self._plan.key("model"),
            lambda: choose_packing(self.loaded.model, self.loaded.attention, self.sample_text),
        )

    @property
    def sample_text(self) -> list[int]:
        """Token ids of the first training records, for checks of the model on real text."""
        paths = (
            [*prompt, *ids]
            for tree in list(self.usable.tokens.values())[:SAMPLED_RECORDS]
            for prompt, ids in zip(tree.prompts, tree.branches, strict=True)
        )
        return [token for path in paths for token in path]

    def policy(self) -> Policy:
        """The model being trained, as a policy."""
        return self.policy_of(self.loaded)

    def reference(self) -> Policy:
        """The frozen start model: the adapter switched off, or the weights loaded once more."""
        policy = self.policy_of(self._frozen)
        return policy.reference_view() if policy.has_adapter else policy

    def policy_of(self, loaded: LoadedModel, packing: Packing | None = None) -> ModelPolicy:
        """LOADED as a policy, its tokenizer under the run's length limits; PACKING: None = its own.

        It may be another model than the run's, such as a judge.
        """
        if packing is None and loaded.fingerprint != self._start:
            packing = choose_packing(loaded.model, loaded.attention)
        own = self._uses_model and loaded.tokenizer is self.loaded.tokenizer
        sizes = self.config.evaluation
        tokeniser = self.tokeniser if own else self._tokeniser_of(loaded)
        packing = packing or self.packing
        return ModelPolicy(loaded, tokeniser, sizes.batch_size, packing, sizes.batch_tokens)

    def share_moved(self) -> float | None:
        """Share of the weights that training changed; None if only an adapter was trained."""
        from prefrun.training.saving import share_moved

        model = self.loaded.model
        return None if has_adapter(model) else share_moved(model, self._frozen.model)

    def release_reference(self) -> None:
        """Let go of the second, frozen model, if there is one: what it is for is over."""
        self.__dict__.pop("_frozen", None)
        gc.collect()

    @cached_property
    @naming_out_of_memory(LOADING)
    def _frozen(self) -> LoadedModel:
        if has_adapter(self.loaded.model):
            return self.loaded
        return self._load()

    def tokenise(self, trees: Sequence[PreferenceTree]) -> list[TokenisedTree]:
        """Tokenise TREES and count what was truncated."""
        known = self.usable.tokens
        new = [tree for tree in trees if id(tree) not in known]
        made = iter(self.tokeniser.tokenise_all(new))
        tokenised = [known[id(tree)] if id(tree) in known else next(made) for tree in trees]
        self.truncation += TruncationCount.of(tokenised)
        return tokenised

    @naming_out_of_memory(REFERENCE)
    def reference_of(
        self, tokenised: Sequence[TokenisedTree], model: LoadedModel | None = None
    ) -> list[BranchLogps]:
        """Reference log-probs of tokenised trees, computing only what the cache lacks.

        Without MODEL the one to train is asked, which is the reference until training begins.
        """
        with progress("reference log-probs") as show:
            return reference_logps(
                model or self.loaded,
                tokenised,
                self.cache,
                self.packing,
                self.config.evaluation.batch_tokens,
                show,
            )

    def reference_logps(self, trees: list[PreferenceTree]) -> list[BranchLogps]:
        """Reference log-probs, at any time, from the cache where they are known."""
        return self.reference_of(self.tokenise(trees), self._frozen)

    def train(
        self,
        algorithm: LossAlgorithm,
        trees: Sequence[PreferenceTree] | None = None,
        round: int | None = None,
    ) -> Policy:
        """See `Services.train`."""
        from prefrun.training.loop import train  # the loop knows sessions

        train(self, algorithm, self.data.train if trees is None else trees, round)
        return self.policy()

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Add a line to metrics.jsonl and tell tracker and hooks."""
        self._metrics.append(step, metrics)
        self._tracker.log(step, metrics)
        notify("prefrun_step_logged", self.run, step=step, metrics=metrics)

    def step_done(self, step: int, steps: int) -> None:
        """Count an optimizer step in status.json and on the progress bar."""
        self.steps = step
        self.show(step, steps)
        beat(self.directory, step, steps)

    def checkpoint_written(self, step: int, path: Path) -> None:
        """Tell the hooks."""
        notify("prefrun_checkpoint_written", self.run, step=step, path=path)

    def checkpoint_dir(self) -> Path:
        """Where checkpoints belong."""
        return self.directory.checkpoints

    def close(self) -> None:
        """Let go of the models, so that the next job of a sweep has the memory."""
        for name in ("loaded", "_frozen", "tokeniser", "usable", "packing", "cache"):
            self.__dict__.pop(name, None)
        gc.collect()
