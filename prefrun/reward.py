"""What a reward is: it scores answers to prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from prefrun.records.split import DataSplit
    from prefrun.records.tree import PreferenceTree


class Reward(Protocol):
    """A judge program or a reward model; the answer with the higher score wins."""

    name: str
    """Shown beside the metrics it produces."""

    def score(self, trees: Sequence[PreferenceTree], responses: Sequence[str]) -> list[float]:
        """Return one finite score per pair of prompt and response, higher is better."""
        ...


class RewardSource(Protocol):
    """A component of the group `reward`: called with its config, then asked for the reward."""

    def of(self, data: DataSplit) -> Reward | None:
        """Return the reward for answers to DATA's prompts; None where there is none.

        Raises ConfigError before any policy is loaded where the reward cannot work.
        """
        ...
