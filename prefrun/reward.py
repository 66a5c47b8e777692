"""What a reward is: it scores answers to prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

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


@runtime_checkable
class ObjectivesReward(Reward, Protocol):
    """A reward that judges several objectives; `score` is its overall verdict."""

    objectives: tuple[str, ...]
    """Their names, in the order of the numbers of `score_objectives`."""

    def score_objectives(
        self, trees: Sequence[PreferenceTree], responses: Sequence[str]
    ) -> list[tuple[float, ...]]:
        """Return per pair of prompt and response one finite number per objective."""
        ...


def objectives_of(reward: Reward | None) -> tuple[str, ...]:
    """Return the objectives REWARD judges; () where it gives an overall score only."""
    return reward.objectives if isinstance(reward, ObjectivesReward) else ()


class RewardSource(Protocol):
    """A component of the group `reward`: called with its config, then asked for the reward.

    One that cannot judge just any prompt may have a method `examples() -> list[PreferenceTree]`,
    for the conformance kit: a few records that it can.
    """

    def of(self, data: DataSplit) -> Reward | None:
        """Return the reward for answers to DATA's prompts; None where there is none.

        Raises ConfigError before any policy is loaded where the reward cannot work.
        """
        ...
