"""reward=data: the judge that the data set brings along."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prefrun.builtin.config import DataRewardConfig
    from prefrun.records.split import DataSplit
    from prefrun.reward import Reward


class DataReward:
    """Chooses the data's own reward."""

    def __init__(self, config: DataRewardConfig) -> None:
        self.config = config

    def of(self, data: DataSplit) -> Reward | None:
        """Return the judge of DATA; None where it has none."""
        return data.reward
