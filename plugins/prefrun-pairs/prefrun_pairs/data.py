"""The data sources data=hh and data=trl."""

from __future__ import annotations

from prefrun.errors import DataError
from prefrun.records.converters.hh import HH
from prefrun.records.converters.trl import FORMATS, KEYS, detect_format
from prefrun.records.dataset import build_split
from prefrun.records.format import Format
from prefrun.records.place import ReadRow
from prefrun.records.reading import read_rows, stem
from prefrun.records.split import DataSplit
from prefrun_pairs.config import HhConfig, TrlConfig, TrlFormat


class HhPairs:
    """Loads hh-rlhf text pairs from `data.path`."""

    uses_seed = False

    def __init__(self, config: HhConfig) -> None:
        self.config = config

    def load(self, seed: int) -> DataSplit:
        """Read and validate everything; the same at every SEED. Raises DataError."""
        path = self.config.path or ""
        return build_split(f"hh-{stem(path)}", read_rows(path), HH, self.config)


class TrlRecords:
    """Loads records in one of TRL's formats from `data.path`."""

    uses_seed = False

    def __init__(self, config: TrlConfig) -> None:
        self.config = config

    def load(self, seed: int) -> DataSplit:
        """Read and validate everything; the same at every SEED. Raises DataError."""
        path = self.config.path or ""
        chosen = self.config.format
        record_format = find_format(path) if chosen is TrlFormat.auto else FORMATS[chosen.name]
        return build_split(f"trl-{stem(path)}", read_rows(path), record_format, self.config)


def find_format(path: str) -> Format:
    """Return the format of the first row that has one. Raises DataError where no row has."""
    first: ReadRow | None = None
    for place, row in read_rows(path):
        first = first or (place, row)
        found = None if isinstance(row, DataError) else detect_format(row)
        if found is not None:
            return found
    if first is None:
        raise DataError("no records", file=path, remedy="give a file with records")
    place, row = first
    if isinstance(row, DataError):
        raise row
    formats = "; ".join(f"{name}: {', '.join(keys)}" for name, keys in KEYS.items())
    raise place.error(
        f"the keys {', '.join(map(str, row))} are those of no TRL preference format",
        remedy=f"give records with the keys of one format ({formats})",
    )
