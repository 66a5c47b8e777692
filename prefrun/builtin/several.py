"""reward=several: one reward per objective."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from prefrun.errors import ConfigError
from prefrun.nesting import build

if TYPE_CHECKING:
    from prefrun.builtin.config import SeveralRewardsConfig
    from prefrun.records.split import DataSplit
    from prefrun.records.tree import PreferenceTree
    from prefrun.reward import Reward


class JoinedReward:
    """Implements `ObjectivesReward`: a reward per objective, and their weighted sum."""

    def __init__(self, parts: Mapping[str, Reward], weights: Mapping[str, float]) -> None:
        self.objectives = tuple(parts)
        self.name = " + ".join(f"{objective} ({part.name})" for objective, part in parts.items())
        self._parts = list(parts.values())
        self._weights = [weights.get(objective, 1.0) for objective in parts]

    def score_objectives(
        self, trees: Sequence[PreferenceTree], responses: Sequence[str]
    ) -> list[tuple[float, ...]]:
        """Return per answer the scores of the parts, in the order of `objectives`."""
        columns = [part.score(trees, responses) for part in self._parts]
        return list(zip(*columns, strict=True))

    def score(self, trees: Sequence[PreferenceTree], responses: Sequence[str]) -> list[float]:
        """Return the weighted sums."""
        return [
            sum(weight * score for weight, score in zip(self._weights, scores, strict=True))
            for scores in self.score_objectives(trees, responses)
        ]


class SeveralRewards:
    """Makes the parts."""

    def __init__(self, config: SeveralRewardsConfig) -> None:
        self.config = config

    def of(self, data: DataSplit) -> Reward:
        """Return the joined reward. Raises ConfigError where a part gives none for DATA."""
        parts = {}
        for objective, settings in self.config.parts.items():
            reward = build(settings).of(data)
            if reward is None:
                raise ConfigError(
                    f"reward.parts.{objective}: the data {data.name} have no judge\n"
                    "  remedy: choose another reward for this part"
                )
            parts[objective] = reward
        return JoinedReward(parts, self.config.weights)
