"""Which weights a prompt gets: the user's, else the record's own, else the adapter's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from prefrun_orchestrator.scores import own_weights
from prefrun_orchestrator.weights import normalise, scalarise

if TYPE_CHECKING:
    from prefrun.records.tree import PreferenceTree
    from prefrun_orchestrator.adapter import Adapter
    from prefrun_orchestrator.weights import Statistics


class PromptWeights:
    """A weight vector per prompt, and the weighted sum of rewards under it."""

    def __init__(
        self,
        objectives: Sequence[str],
        norm: str,
        statistics: Statistics,
        adapter: Adapter | None = None,
        given: Sequence[float] = (),
    ) -> None:
        """GIVEN weights, one per objective and not all 0, stand for every prompt; else ADAPTER."""
        self.objectives, self.adapter = tuple(objectives), adapter
        self._norm, self._statistics = norm, statistics
        self._given: Tensor | None = None
        if given:
            values = torch.tensor(list(given), dtype=torch.float64)
            self._given = values / values.sum()

    def __call__(self, trees: Sequence[PreferenceTree]) -> Tensor:
        """Return weights [N, K], float64, each summing to 1."""
        if self._given is not None:
            return self._given.expand(len(trees), -1)
        assert self.adapter is not None
        predicted = self.adapter.weights([prompt_of(tree) for tree in trees])
        rows = [own_weights(tree, self.objectives) for tree in trees]
        return torch.stack(
            [guess if own is None else own for own, guess in zip(rows, predicted, strict=True)]
        )

    def normalise(self, rewards: Tensor) -> Tensor:
        """Normalise rewards [..., K] as in stage 1."""
        return normalise(rewards, self._norm, self._statistics)

    def scalarise(self, rewards: Tensor, weights: Tensor) -> Tensor:
        """R = sum_k w_k r_k of rewards [..., K], normalised as in stage 1."""
        return scalarise(self.normalise(rewards), weights)


def prompt_of(tree: PreferenceTree) -> str:
    """Return what an adapter reads of a record: the whole prompt, all messages of a chat."""
    if isinstance(tree.prompt, str):
        return tree.prompt
    return "\n".join(message.content for message in tree.prompt)
