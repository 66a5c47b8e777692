"""One run's models, data and logs: the host's services, each made when first asked for."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefrun.console import progress
from prefrun.errors import PluginError, PrefrunError
from prefrun.memory import LOADING, REFERENCE, naming_out_of_memory
from prefrun.models.kind import ModelKind
from prefrun.models.kind import Reference as Rule
from prefrun.models.scoring_policy import ScoringPolicy
from prefrun.models.text import LanguageModel, TextModel
from prefrun.notifying import notify
from prefrun.policy.adapter import has_adapter
from prefrun.policy.cache import ReferenceCache
from prefrun.policy.model_policy import ModelPolicy
from prefrun.policy.packing import Packing
from prefrun.policy.packing_choice import choose_packing
from prefrun.policy.policy import BranchLogps, LoadedModel, Policy
from prefrun.policy.reference import reference_logps
from prefrun.policy.scoring import zeros_for
from prefrun.policy.tokenise import Tokeniser
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
    from prefrun.policy.batch import BranchBatch
    from prefrun.training.services import Records
    from prefrun.training.step_loop import StepLoop


class Session:
    """Implements `Services` and the trainer's `Listener`."""

    def __init__(self, run: Run, job: Job, tracker: Tracker) -> None:
        self.run, self.config, self.reward = run, job.plan, job.reward
        self.directory = job.directory
        self.truncation = TruncationCount()
        self.steps = self.tokens = 0
        self.ends: dict[str, int] = {}
        """By the names of trainings that are over, the run's steps at their end."""
        self.show: Callable[[int, int], None] = lambda done, total: None
        self._plan, self._tracker = job.plan, tracker
        self._start = ""
        self._given, self._uses_model = job.data, job.algorithm.uses_model
        self._metrics = MetricsLog(job.directory.metrics)

    @property
    def model_name(self) -> str:
        """What the user chose by model=NAME."""
        return self._plan.chosen["model"].name

    @cached_property
    @naming_out_of_memory(LOADING)
    def kind(self) -> ModelKind:
        """The model to train."""
        return self._load()

    @naming_out_of_memory(LOADING)
    def load_again(self) -> ModelKind:
        """Let go of a model that was trained in shards, and return a whole one for its weights."""
        former = self.kind
        again = self.__dict__["kind"] = self.__dict__["ready"] = self._load()
        again.begin_as(former)
        return again

    def _load(self) -> ModelKind:
        """Load the start model. Raises PrefrunError if it is no longer the one that was loaded."""
        loaded: LoadedModel | ModelKind = self._plan.build("model").load()
        kind = LanguageModel(loaded) if isinstance(loaded, LoadedModel) else loaded
        self._start = self._start or kind.fingerprint
        if kind.fingerprint != self._start:
            raise PrefrunError(
                f"the start model {kind.name}, loaded again, is another one: fingerprint "
                f"{self._start[:12]}, now {kind.fingerprint[:12]}\n"
                "  remedy: if its files were overwritten, restore them and `prefrun resume` the "
                "run directory; a model's class must give the same weights each time"
            )
        kind.configure(self.config)
        return kind

    @property
    def text(self) -> LanguageModel:
        """The model to train, which must be a language model. Raises PluginError if it is not."""
        if not isinstance(self.kind, LanguageModel):
            raise PluginError(
                f"algo={self.run.algo} asks for a language model, and model={self.model_name} is "
                "none"
            )
        return self.kind

    @property
    def loaded(self) -> LoadedModel:
        """The language model to train, with its tokenizer. Raises PluginError if it is none."""
        return self.text.loaded

    @property
    def tokenizer(self) -> Any:
        """The model's tokenizer; None if it has none."""
        return self.kind.loaded.tokenizer if isinstance(self.kind, TextModel) else None

    @property
    def device(self) -> str:
        """'cpu' or 'cuda': where training takes place."""
        return self.kind.device.type if self._uses_model else "cpu"

    def text_model_in(self, module: Any) -> TextModel | None:
        """Return the run's model if it is a text model and MODULE, or in it."""
        if not self._uses_model or not isinstance(self.kind, TextModel):
            return None
        inside = module is self.kind.module or self.kind.module in module.children()
        return self.kind if inside else None

    @cached_property
    def data(self) -> DataSplit:
        """The records, without those that the model cannot use. Raises DataError."""
        return self.usable.split if self._uses_model else self._given

    @cached_property
    def usable(self) -> Usable:
        """The records as the model reads them. Raises DataError; see `usable_records`.

        A sweep whose jobs share data and model keeps them, of text with their tries.
        """
        data, settings = self._given, self._plan.settings["data"]
        return sharing.get(
            "encoded",
            (id(data), self._plan.key("data", "model"), self._plan.length_limits),
            lambda: usable_records(self.kind, data, getattr(settings, "on_bad_record", None)),
        )

    @cached_property
    def ready(self) -> ModelKind:
        """The model, once it has looked at the training records."""
        self.kind.begin(list(self.usable.encoded.values()))
        return self.kind

    @cached_property
    def cache(self) -> ReferenceCache | None:
        """The cache of reference log-probs; None if it is switched off."""
        settings = self.config.cache
        return ReferenceCache.at(settings.dir, settings.max_gb) if settings.enabled else None

    def policy(self) -> Policy:
        """The model being trained, as a policy."""
        return self._policy_of(self.ready)

    def numbers_now(self, encoded: Sequence[Any]) -> list[BranchLogps]:
        """Return the language model's log-probs of ENCODED trees as it is now."""
        return self.policy_of(self.loaded).logps_of(encoded)

    def reference(self) -> Policy:
        """The frozen start model: the adapter switched off, or the weights loaded once more."""
        policy = self._policy_of(self._frozen)
        if isinstance(policy, ModelPolicy) and policy.has_adapter:
            return policy.reference_view()
        return policy

    def _policy_of(self, kind: ModelKind) -> Policy:
        if isinstance(kind, LanguageModel):
            return self.policy_of(kind.loaded)
        return kind.policy() or ScoringPolicy(kind, self.config.evaluation.batch_tokens)

    def policy_of(self, loaded: LoadedModel, packing: Packing | None = None) -> ModelPolicy:
        """LOADED as a policy, its tokenizer under the run's length limits; PACKING: None = its own.

        It may be another model than the run's, such as a judge.
        """
        sizes, own = self.config.evaluation, self.ready if self._uses_model else None
        if isinstance(own, TextModel) and loaded.tokenizer is own.loaded.tokenizer:
            tokeniser: Tokeniser = own.tokeniser
        else:
            other = LanguageModel(loaded)
            other.configure(self.config)
            tokeniser = other.tokeniser
        if packing is None:
            if isinstance(own, TextModel) and loaded.fingerprint == own.fingerprint:
                packing = own.packing
            else:
                packing = choose_packing(loaded.model, loaded.attention)
        return ModelPolicy(loaded, tokeniser, sizes.batch_size, packing, sizes.batch_tokens)

    def share_moved(self) -> float | None:
        """Share of the weights that training changed; None if only an adapter was trained."""
        from prefrun.training.saving import share_moved

        model = self.kind.module
        return None if has_adapter(model) else share_moved(model, self._frozen.module)

    def release_reference(self) -> None:
        """Let go of the second, frozen model, if there is one: what it is for is over."""
        self.__dict__.pop("_frozen", None)
        gc.collect()

    @cached_property
    @naming_out_of_memory(LOADING)
    def _frozen(self) -> ModelKind:
        if has_adapter(self.ready.module):
            return self.kind
        frozen = self._load()
        frozen.begin_as(self.kind)
        return frozen

    def encode(self, trees: Sequence[PreferenceTree], counts: bool = True) -> list[Any]:
        """Return TREES as the model reads them; if it COUNTS, add up what was truncated."""
        known = self.usable.encoded
        new = [tree for tree in trees if id(tree) not in known]
        made = iter(self.kind.encode(new))
        encoded = [known[id(tree)] if id(tree) in known else next(made) for tree in trees]
        if counts:
            self.truncation += self.kind.truncated(encoded)
        return encoded

    @naming_out_of_memory(REFERENCE)
    def reference_of(
        self, encoded: Sequence[Any], model: LanguageModel | None = None
    ) -> list[BranchLogps]:
        """Reference log-probs of tokenised trees, computing only what the cache lacks.

        Without MODEL the one to train is asked, which is the reference until training begins.
        """
        with progress("reference log-probs") as show:
            budget = self.config.evaluation.batch_tokens
            return reference_logps(model or self.text, encoded, self.cache, budget, show)

    def reference_logps(self, trees: list[PreferenceTree]) -> list[BranchLogps]:
        """Reference log-probs, at any time, from the cache where they are known."""
        frozen = self._frozen
        assert isinstance(frozen, LanguageModel)
        return self.reference_of(self.encode(trees), frozen)

    def frozen_numbers(self, encoded: Sequence[Any]) -> list[BranchLogps]:
        """Return the start model's numbers of ENCODED trees; none of them goes into the cache."""
        reference = self.reference() if self.kind.reference is Rule.cached else None
        if isinstance(reference, ModelPolicy):
            return reference.logps_of(encoded)
        return [zeros_for(each) for each in encoded]

    def train(
        self,
        algorithm: LossAlgorithm,
        trees: Sequence[PreferenceTree] | None = None,
        round: int | None = None,
    ) -> Policy:
        """See `Services.train`."""
        from prefrun.training.losses import train  # it knows sessions

        train(self, algorithm, self.data.train if trees is None else trees, round)
        return self.policy()

    def optimise(self, loop: StepLoop) -> None:
        """See `Services.optimise`."""
        from prefrun.training.optimise import optimise  # it knows sessions

        optimise(self, loop)

    def online(
        self,
        algorithm: LossAlgorithm,
        records: Records,
        steps: int | None = None,
        renew_reference: int | None = None,
    ) -> Policy:
        """See `Services.online`."""
        from prefrun.training.online import online  # it knows sessions

        online(self, algorithm, records, steps, renew_reference)
        return self.policy()

    def token_logps(
        self, trees: Sequence[PreferenceTree], needs: frozenset[str] = frozenset()
    ) -> BranchBatch:
        """See `Services.token_logps`."""
        from prefrun.training.branch_batches import token_logps  # it knows sessions

        return token_logps(self, trees, needs)

    def in_budget(self, trees: Sequence[PreferenceTree]) -> list[list[PreferenceTree]]:
        """See `Services.in_budget`."""
        from prefrun.training.branch_batches import in_budget  # it knows sessions

        return in_budget(self, trees)

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
        for name in ("kind", "ready", "_frozen", "usable", "cache"):
            self.__dict__.pop(name, None)
        gc.collect()
