"""How much one data file may hold: a small file must not fill the memory or run for hours."""

from __future__ import annotations

from pathlib import Path

from prefrun.errors import DataError
from prefrun.rundir.files import readable_size

LONGEST_LINE = 64 << 20
"""Bytes. A record is a prompt and its answers; 64 MB are ten thousand pages."""
MOST_BLANK_LINES = 1_000_000
"""In a row."""
LARGEST_LIST = 1 << 30
"""Bytes of a file with one JSON list, of which several times as much is held in memory."""
FREE_GROWTH = 256 << 20
"""Bytes up to which any file may grow as it is decompressed."""
MOST_GROWTH = 100
"""Times its size that a larger one may grow to; text rarely grows to more than ten times."""


def check_growth(path: Path, size: int, on_disk: int, number: int | None = None) -> None:
    """Raise DataError where SIZE bytes came out of the ON_DISK bytes of a file, and that is absurd.

    NUMBER is the line that was reached.
    """
    if size > FREE_GROWTH and size > MOST_GROWTH * on_disk:
        raise DataError(
            f"grows to more than {readable_size(size)} from {readable_size(on_disk)}, which is "
            f"over {MOST_GROWTH} times its size",
            file=path,
            record=number,
            remedy="if that is meant, decompress the file yourself and give the plain one",
        )


def out_of_memory(path: str | Path | None) -> DataError:
    """Return the error for a file whose records do not fit into the memory."""
    return DataError(
        "the memory is used up while the records are read",
        file=path,
        remedy="read fewer records with data.max_records=N, or split the file",
    )
