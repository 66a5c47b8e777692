"""model=reward_head: a reward model on top of any language model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefrun.errors import ConfigError
from prefrun.models.reward_head import RewardHead
from prefrun.nesting import build

if TYPE_CHECKING:
    from prefrun.builtin.config import RewardHeadConfig


class RewardHeadModel:
    """The component behind `model=reward_head`."""

    gives = RewardHead.gives

    def __init__(self, config: RewardHeadConfig) -> None:
        """Raises ConfigError if there is no language model to put the head on."""
        if config.base is None:
            raise ConfigError(
                "model=reward_head has no language model under it\n"
                "  remedy: model@model.base=hf model.base.name=FOLDER"
            )
        self.base = build(config.base)

    def load(self) -> RewardHead:
        """Load the language model, and put a head of zeros in the place of its own."""
        return RewardHead(self.base.load())
