"""The three shapes an algorithm can have. torch is named here only for types.

- `LossAlgorithm`: a pure loss over a batch of preference trees; the host trains it.
- `RunAlgorithm`: owns its run (reward models, online RL, diffusion), borrows the host's services.
- `DecodingAlgorithm`: trains nothing; it wraps a policy (decoding-time selection).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from prefrun.errors import DataError
from prefrun.needs import REFERENCE
from prefrun.schema import TrainerConfig

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor
    from torch.nn import Module

    from prefrun.evaluation.evaluator import Estimate
    from prefrun.policy.batch import BranchBatch
    from prefrun.policy.policy import Policy
    from prefrun.records.split import DataSplit
    from prefrun.records.tree import PreferenceTree
    from prefrun.reward import Reward
    from prefrun.training.services import Services

TRAINER_KEYS = frozenset(key.name for key in fields(TrainerConfig))
"""All keys of `trainer`."""
LENGTH_KEYS = frozenset({"max_length", "max_prompt_length", "truncation"})
"""Those that bound texts: the host reads them wherever it scores or writes answers."""
LOOP_KEYS = frozenset(
    {
        "optimizer",
        "weight_decay",
        "max_grad_norm",
        "logging_steps",
        "checkpoint_steps",
        "keep_checkpoints",
    }
)
"""Those that count for a `StepLoop` with steps, batches and a learning rate of its own."""


@dataclass(frozen=True, slots=True)
class Term:
    """One weighted mean. The batch value is sum(values * weights) / sum(weights)."""

    values: Tensor
    """[N] one number per tree, pair or list, in the batch's dtype; carries the gradient."""
    weights: Tensor
    """[N] as many as values, at least 0, no gradient, made from the data only. The host sums them
    over all micro-batches and ranks of a step, so gradient accumulation and DDP change no result.
    If all of a step's weights are 0 it teaches nothing: see `trainer.on_empty_step`."""


@dataclass(frozen=True, slots=True)
class LossOutput:
    """What a loss returns: the terms whose means are added up, and numbers to log."""

    terms: Mapping[str, Term]
    metrics: Mapping[str, Tensor] = field(default_factory=dict)
    """Scalars without gradient."""
    sums: Mapping[str, Tensor] = field(default_factory=dict)
    """Numbers without gradient, of any shape, that the host adds up over all micro-batches and
    processes of a step and hands to `LossAlgorithm.step_done`. The names never change."""

    @property
    def loss(self) -> Tensor:
        """Scalar: the sum over terms of their weighted means; 0 where a term weighs nothing."""
        means = [
            (term.values * term.weights).sum() / term.weights.sum().clamp(min=1e-12)
            for term in self.terms.values()
        ]
        return sum(means[1:], start=means[0])


class Algorithm:
    """What every algorithm plugin is: called with its config, after the config was validated."""

    golden: ClassVar[str | None] = None
    """'module:function' that computes a golden case: (inputs, hyper, name) -> {key: value}."""
    vectors: ClassVar[str | None] = None
    """File name of its golden vectors, such as 'lipo.json', below the plugin's tests/vectors."""
    card: ClassVar[str] = ""
    """What `prefrun explain` prints: formula, symbols, source, pitfalls. Plain text."""
    paper: ClassVar[str] = ""
    """Such as 'Liu et al. 2024, arXiv 2402.01878'; as the next three, for docs/methods.md."""
    kind: ClassVar[str] = ""
    """Such as 'offline, lists'."""
    formula: ClassVar[str] = ""
    """The method in one line of plain text."""
    verdict: ClassVar[str] = ""
    """One sentence: what came of the experiment in the plugin's README; '' where none was run."""
    expected_failures: Mapping[str, str] = MappingProxyType({})
    """Why it fails a check of the conformance kit by definition, by the check's name; for published
    numbers that are wrong, by 'golden_vectors/CASE/KEY', in which `*` stands for anything. Set it
    in `__init__` where it depends on the settings."""
    uses_model: bool = True
    """Whether the run needs the language model that `model=` names. Without it, which only a
    `RunAlgorithm` can do, none is loaded, evaluated or saved."""
    evaluates_policy: bool = True
    """Whether evaluators measure the policy before and after. Without it a run has no numbers but
    those of its `Outcome`, and those that evaluators take of a reward it trained."""
    saves_as: ClassVar[str] = ""
    """Name of the folder in the run's directory that `save` fills, such as 'reward_model'; '' = the
    run leaves nothing but its policy."""

    trainer_keys: frozenset[str] = TRAINER_KEYS
    """The keys of `trainer` that the run reads; another one is refused if the user sets it. Set it
    in `__init__` where it depends on the settings."""
    instead: Mapping[str, str] = MappingProxyType({})
    """By a key of `trainer` that the run does not read, the own key that the error names, such as
    {'max_steps': 'algo.steps'}."""

    note: str = ""
    """One line the user must see before the run, such as what `check` chose to suit the data."""

    def __init__(self, config: Any) -> None:
        self.config = config

    def check(self, data: DataSplit, reward: Reward | None) -> None:
        """Raise ConfigError or DataError where the method cannot work with these.

        Called before any model is loaded and before anything is written.
        """

    def save(self, folder: Path) -> None:
        """Write what the run leaves besides its policy into FOLDER, which is empty.

        Called once, at the end of a run whose algorithm has a name in `saves_as`. The folder gets
        that name once it is whole, so a run that is cut leaves none; a resumed run trains first.
        """


class LossAlgorithm(Algorithm, ABC):
    """A pure loss over a batch of preference trees. The host trains the policy with it."""

    needs: frozenset[str] = frozenset({REFERENCE})
    """What the batch must hold beside the model's numbers, and what these must be, by the names in
    `prefrun.needs`: 'reference', 'normalised', 'text', 'log_collision', 'step_embeddings',
    'last_hidden', 'prompt_hidden', 'hidden'. As the next two, set it in `__init__` if it depends on
    the settings. A model of a kind that does not give it is refused before it is loaded."""
    min_branches: int = 2
    """Answers a record must have, as the data give it and as `prepare` returns it."""
    batch_coupled: bool = False
    """Whether a tree's value depends, by definition, on the other trees of its batch; under DDP,
    of its process' batch."""
    module: Module | None = None
    """What `make_module` returned."""
    module_learning_rate: float | None = None
    """Of the module's parameters; None = the trainer's."""

    def check(self, data: DataSplit, reward: Reward | None) -> None:
        """Raise DataError if no training record says which of its answers is better.

        Not if `min_branches` is 1, since single answers are never compared. Call `super().check` in
        a check of one's own, unless the method learns from answers of equal score, too.
        """
        del reward
        if data.train and self.min_branches > 1:
            check_some_differ(data.train, data.objective)

    def prepare(self, trees: Sequence[PreferenceTree], seed: int) -> list[PreferenceTree]:
        """Return the training records, once, before tokenisation. May relabel, reorder, split."""
        del seed
        return list(trees)

    def order(self, trees: Sequence[PreferenceTree], count: int, seed: int) -> list[int] | None:
        """Return COUNT indices into the prepared TREES, in the order of training.

        COUNT is steps times prompts per step. None = shuffled anew in every epoch.
        """
        del trees, count, seed
        return None

    def make_module(self, hidden_size: int) -> Module | None:
        """Return what the method trains or keeps beside the policy: heads, moving averages.

        HIDDEN_SIZE is that of the model's hidden states, 0 if it has none. The host calls this
        once, keeps the result as `module`, trains its parameters with the policy, without weight
        decay or clipping, and saves it in checkpoints.
        """
        del hidden_size
        return None

    def step_done(self, sums: Mapping[str, Tensor]) -> None:
        """Take the SUMS of a step's outputs, after its gradients; may update `module`'s buffers."""

    def loss_at_start(self) -> float | None:
        """Return the loss where the policy is the reference, such as log 2; None = data decide."""
        return None

    @abstractmethod
    def loss(self, batch: BranchBatch) -> LossOutput:
        """Return the loss of one batch. Pure: the same batch gives the same output."""


def check_branches(algorithm: Algorithm, trees: Sequence[PreferenceTree], algo: str) -> None:
    """Raise DataError, naming the record, if one of TREES has too few answers for a loss.

    ALGO: what the user calls ALGORITHM.
    """
    least = algorithm.min_branches if isinstance(algorithm, LossAlgorithm) else 0
    for tree in trees:
        if len(tree.branches) < least:
            raise DataError(
                f"{len(tree.branches)} answer(s), but algo={algo} needs {least}",
                record=tree.id,
                remedy="choose another algorithm, or data with more answers per prompt",
            )


def check_some_differ(trees: Sequence[PreferenceTree], objective: str, margin: float = 0.0) -> None:
    """Raise DataError unless two answers of one of TREES differ by more than MARGIN in OBJECTIVE.

    Records that weigh 0 do not count.
    """
    weighed = [tree for tree in trees if tree.weight > 0]
    if not weighed:
        raise DataError("every training record has weight 0", field="weight")
    labels = [tree.labels(objective) for tree in weighed]
    if any(max(row) - min(row) > margin for row in labels if row):
        return
    by = f" by more than {margin:g}" if margin else ""
    raise DataError(
        f"no training record has two answers whose scores differ{by}, so there is nothing to learn",
        field=objective,
        remedy="choose data with pairs or lists, or another data.objective",
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an algorithm that owned its run."""

    policy: Policy | None = None
    """The policy to evaluate; None where there is none."""
    metrics: Mapping[str, Estimate] = field(default_factory=dict)
    """What the algorithm measured itself, by name; joins what the evaluators measure."""
    directions: Mapping[str, str] = field(default_factory=dict)
    """'max', 'min' or 'none' by name in `metrics`: which end is best; default 'none'."""
    before: Mapping[str, Estimate] = field(default_factory=dict)
    """What it measured itself of the start, by the names of `metrics`; joins what the evaluators
    measure of the start model."""
    reward: Reward | None = None
    """What the run trained, if that is a reward: after training it is the evaluators' reward. What
    was measured before stays as the run's own reward gave it."""


class RunAlgorithm(Algorithm, ABC):
    """Owns its run: reward models, online RL, diffusion, recommenders."""

    @abstractmethod
    def run(self, services: Services) -> Outcome:
        """Train, and return what came of it. A resumed run calls this again."""


class DecodingAlgorithm(Algorithm, ABC):
    """Trains nothing: changes how a policy answers."""

    trainer_keys = LENGTH_KEYS
    changes_policy: ClassVar[bool] = True
    """False: `wrap` returns the start model as it is, which is then measured once."""

    @abstractmethod
    def wrap(self, services: Services) -> Policy:
        """Return the policy to evaluate as 'after', made from `services.policy()`."""
