"""The keys of data=hh and data=trl. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from prefrun.errors import ConfigError
from prefrun.records.config import FileDataConfig


class TrlFormat(Enum):
    """TRL's record formats; auto tells them by their keys."""

    auto = "auto"
    preference = "preference"
    unpaired = "unpaired"
    prompt_only = "prompt_only"
    stepwise = "stepwise"


@dataclass
class HhConfig(FileDataConfig):
    """hh-rlhf text pairs."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_path(self, "hh")


@dataclass
class TrlConfig(FileDataConfig):
    """Records in one of TRL's formats."""

    format: TrlFormat = TrlFormat.auto
    """auto | preference | unpaired | prompt_only | stepwise; all records have the same one."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_path(self, "trl")


def _require_path(config: FileDataConfig, name: str) -> None:
    if config.path is None:
        raise ConfigError(f"data={name} needs data.path=FILE or FOLDER: it has no data of its own")
