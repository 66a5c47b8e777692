"""The keys of data=hh and data=trl. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from prefrun import ConfigError, Holds, path_key
from prefrun.records.config import FileDataConfig, MappedDataConfig


class TrlFormat(Enum):
    """What a record holds; auto tells it by the columns."""

    auto = "auto"
    preference = "preference"
    implicit_prompt = "implicit_prompt"
    list = "list"
    unpaired = "unpaired"
    prompt_only = "prompt_only"
    stepwise = "stepwise"
    demonstration = "demonstration"


class Source(Enum):
    """Where the records come from."""

    file = "file"
    hub = "hub"


@dataclass
class HhConfig(FileDataConfig):
    """hh-rlhf text pairs."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.path is None:
            raise _no_path("hh")


@dataclass
class TrlConfig(MappedDataConfig):
    """Records in one of TRL's formats, or with columns that are mapped to one."""

    format: TrlFormat = TrlFormat.auto
    """auto | preference | implicit_prompt | list | unpaired | prompt_only | stepwise |
    demonstration; all records have the same one."""
    source: Source = Source.file
    """file: `path`; hub: the data set `name` of the Hugging Face hub."""
    name: str | None = path_key(holds=Holds.dataset)
    """Of source=hub: a data set, such as org/set, or a folder of files that `datasets` loads."""
    config: str | None = None
    """Of source=hub: the configuration (subset) of the data set; None = its only one."""
    split: str = "train"
    """Of source=hub: the split that trains, such as train_prefs or train[:1000]."""
    test_split: str | None = None
    """Of source=hub: the split that is held out; None = a part of `split` is."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.source is Source.file:
            if self.path is None:
                raise _no_path("trl")
            idle = [
                key for key in ("name", "config", "test_split") if getattr(self, key) is not None
            ]
            idle += ["split"] if self.split != "train" else []
            if idle:
                raise ConfigError(f"data.{idle[0]} does nothing without data.source=hub")
            return
        if not self.name:
            raise ConfigError("data.source=hub needs data.name=DATA_SET, such as org/set")
        for key in ("path", "test_path"):
            if getattr(self, key) is not None:
                raise ConfigError(
                    f"data.source=hub and data.{key}={getattr(self, key)} name two sources: give "
                    "one of them (data.test_split holds out a split of the hub)"
                )


def _no_path(name: str) -> ConfigError:
    return ConfigError(f"data={name} needs data.path=FILE or FOLDER: it has no data of its own")
