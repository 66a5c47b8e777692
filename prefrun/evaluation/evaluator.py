"""What an evaluator is, and what it may ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from prefrun.policy.policy import BranchLogps, Policy
    from prefrun.records.tree import PreferenceTree
    from prefrun.reward import Reward


class NotApplicable(Exception):  # noqa: N818 - it is no error
    """An evaluator cannot measure this run, and why; shown to the user, not an error."""


class NoPolicy(NotApplicable):
    """An evaluator needs a policy, and the run has none by design: no news for the user."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured number, with its interval where one was computed."""

    value: float
    low: float | None = None
    high: float | None = None
    """Ends of the 95 % confidence interval."""
    per_record: Sequence[float | None] | None = None
    """One number per held-out prompt, in order, for paired tests between runs; None where a prompt
    has no number, such as the order of answers that are all equally good."""
    direction: str | None = None
    """'max', 'min' or 'none': which end is best; None = as `Evaluator.directions` says."""
    left_out: str = ""
    """Which held-out records it leaves out, and why, if the user must know: it is shown under what
    was not measured."""


class EvaluationContext(Protocol):
    """One policy on the held-out records. Costly parts are computed once and shared."""

    @property
    def trees(self) -> Sequence[PreferenceTree]:
        """Held-out records."""
        ...

    @property
    def objective(self) -> str:
        """The score that says which answer is better."""
        ...

    @property
    def policy(self) -> Policy:
        """The policy being measured. Raises NoPolicy in a run that trains a reward only."""
        ...

    @property
    def baseline(self) -> Policy:
        """The starting model, which is also the reference."""
        ...

    @property
    def reward(self) -> Reward:
        """The judge: after training the reward that the run trained, if it did; else its own.

        Raises NotApplicable if there is none.
        """
        ...

    @property
    def seed(self) -> int:
        """For resampling."""
        ...

    @property
    def bootstrap(self) -> int:
        """Resamples behind a confidence interval."""
        ...

    @property
    def folder(self) -> Path | None:
        """Where an evaluator may keep files of its own; None where the start model is measured."""
        ...

    def responses(self) -> list[str]:
        """One sampled answer of the policy per tree."""
        ...

    def baseline_responses(self) -> list[str]:
        """The same of the baseline."""
        ...

    def rewards(self) -> list[float]:
        """Score of each of `responses()`. Raises NotApplicable without a reward."""
        ...

    def baseline_rewards(self) -> list[float]:
        """Score of each of `baseline_responses()`."""
        ...

    def logps(self) -> list[BranchLogps]:
        """Log-probs of the records' own answers under the policy."""
        ...

    def baseline_logps(self) -> list[BranchLogps]:
        """The same under the baseline."""
        ...


class Evaluator:
    """Base class of the group `evaluator`: called with its config."""

    directions: ClassVar[Mapping[str, str]] = {}
    """'max', 'min' or 'none' by metric name: which end is best; 'none' is never marked. Metrics
    whose names come from the data say it in their `Estimate`."""

    def __init__(self, config: Any) -> None:
        self.config = config

    def evaluate(self, context: EvaluationContext) -> dict[str, Estimate]:
        """Return the metrics by name. Raises NotApplicable where they make no sense here."""
        raise NotApplicable(f"{type(self).__name__} measures nothing")
