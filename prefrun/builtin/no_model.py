"""model=none: for algorithms that use no language model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefrun.errors import ConfigError

if TYPE_CHECKING:
    from prefrun.builtin.config import NoModelConfig
    from prefrun.policy.policy import LoadedModel


class NoModel:
    """Loads nothing."""

    def __init__(self, config: NoModelConfig) -> None:
        self.config = config

    def load(self) -> LoadedModel:
        """Raise ConfigError: whoever asks needs a model."""
        raise ConfigError("choose model=NAME: this algorithm needs a language model")
