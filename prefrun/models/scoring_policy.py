"""A model that only scores branches, as evaluators see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from prefrun.evaluation.evaluator import NotApplicable
from prefrun.models.kind import ModelKind
from prefrun.policy.policy import BranchLogps, Policy, Sample
from prefrun.policy.scoring import numbers_of

if TYPE_CHECKING:
    from prefrun.records.tree import PreferenceTree


class ScoringPolicy:
    """Implements `Policy.logps` with a model's numbers; there are no completions."""

    def __init__(self, kind: ModelKind, budget: int) -> None:
        """BUDGET: the size of a forward pass, see `ModelKind.size`."""
        self.kind, self.budget = kind, budget

    def logps(self, trees: Sequence[PreferenceTree]) -> list[BranchLogps]:
        """Return the model's numbers of every branch, without gradient."""
        numbers = numbers_of(self.kind, self.kind.encode(trees), self.budget)
        return [BranchLogps(tuple(values)) for values in numbers]

    def sample(
        self,
        trees: Sequence[PreferenceTree],
        n: int,
        max_new_tokens: int,
        temperature: float,
        top_p: float = 1.0,
        stop: Sequence[str] = (),
        seed: int = 0,
    ) -> list[list[Sample]]:
        """Raise NotApplicable."""
        del trees, n, max_new_tokens, temperature, top_p, stop, seed
        raise self._no_completions()

    def generate(
        self, trees: Sequence[PreferenceTree], max_new_tokens: int, temperature: float, seed: int
    ) -> list[str]:
        """Raise NotApplicable."""
        del trees, max_new_tokens, temperature, seed
        raise self._no_completions()

    def kl(
        self, trees: Sequence[PreferenceTree], responses: Sequence[str], other: Policy
    ) -> list[float]:
        """Raise NotApplicable."""
        del trees, responses, other
        raise self._no_completions()

    def count_tokens(self, responses: Sequence[str]) -> list[int]:
        """Raise NotApplicable."""
        del responses
        raise self._no_completions()

    def _no_completions(self) -> NotApplicable:
        return NotApplicable(f"the model {self.kind.name} scores answers and gives none")
