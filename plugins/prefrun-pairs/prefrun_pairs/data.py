"""The data sources data=hh and data=trl."""

from __future__ import annotations

from functools import partial

from prefrun.records.converters.hh import HH
from prefrun.records.converters.trl import FORMATS
from prefrun.records.dataset import build_split, number_rows
from prefrun.records.hub import hub_rows
from prefrun.records.mapped import OpenRows, mapped_split
from prefrun.records.reading import read_rows, stem
from prefrun.records.split import DataSplit
from prefrun_pairs.config import HhConfig, Source, TrlConfig, TrlFormat


class HhPairs:
    """Loads hh-rlhf text pairs from `data.path`."""

    uses_seed = False

    def __init__(self, config: HhConfig) -> None:
        self.config = config

    def load(self, seed: int) -> DataSplit:
        """Read and validate everything; the same at every SEED. Raises DataError."""
        path, test = self.config.path or "", self.config.test_path
        held_out = read_rows(test) if test else None
        name = f"hh-{stem(path)}"
        return build_split(name, read_rows(path), HH, self.config, held_out=held_out)


class TrlRecords:
    """Loads records in one of TRL's formats, or with columns that are mapped to one."""

    uses_seed = False

    def __init__(self, config: TrlConfig) -> None:
        self.config = config

    def load(self, seed: int) -> DataSplit:
        """Read and validate everything; the same at every SEED. Raises DataError."""
        config = self.config
        name, rows, held_out = self._hub() if config.source is Source.hub else self._files()
        chosen = config.format
        named = None if chosen is TrlFormat.auto else FORMATS[chosen.name]
        return mapped_split(f"trl-{name}", rows, config, held_out=held_out, named_format=named)

    def _files(self) -> tuple[str, OpenRows, OpenRows | None]:
        path, test = self.config.path or "", self.config.test_path
        held_out = partial(read_rows, test) if test else None
        return stem(path), partial(read_rows, path), held_out

    def _hub(self) -> tuple[str, OpenRows, OpenRows | None]:
        config, name = self.config, self.config.name or ""
        train, test = (
            hub_rows(name, config.config, split) if split else None
            for split in (config.split, config.test_split)
        )
        rows = partial(number_rows, f"{name} {config.split}", train or ())
        held_out = partial(number_rows, f"{name} {config.test_split}", test) if test else None
        return stem(name), rows, held_out
