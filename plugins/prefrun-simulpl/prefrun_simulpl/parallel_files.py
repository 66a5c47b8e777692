"""Reads the rows of a parallel corpus: fields, tab-separated lines, or two files of lines."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from prefrun.errors import DataError
from prefrun.records.place import Place, ReadRow
from prefrun.records.reading import read_rows

TAB_SEPARATED = (".tsv", ".tsv.gz")


def read_pairs(
    path: str, target_path: str | None, source_field: str, target_field: str
) -> Iterator[ReadRow]:
    """Yield the rows of PATH, or of the lines of PATH and TARGET_PATH, under the two field names.

    Raises DataError for what spoils a whole file, such as two files of different lengths.
    """
    if target_path is not None:
        yield from _two_files(path, target_path, source_field, target_field)
    elif path.endswith(TAB_SEPARATED):
        yield from _tab_separated(path, source_field, target_field)
    else:
        yield from read_rows(path)


def _two_files(path: str, target_path: str, source: str, target: str) -> Iterator[ReadRow]:
    number = 0
    missing = object()
    pairs = zip_longest(_lines(path), _lines(target_path), fillvalue=missing)
    for number, (one, other) in enumerate(pairs, 1):
        if missing in (one, other):
            short, long = (path, target_path) if one is missing else (target_path, path)
            raise DataError(
                f"has {number - 1} lines, {long} has more: the lines of both must be translations "
                "of each other",
                file=short,
                remedy="give two files with the same number of lines",
            )
        yield Place(path, number, is_line=True), {source: one, target: other}
    if not number:
        raise DataError("the file is empty", file=path, remedy="give a file with sentences")


def _tab_separated(path: str, source: str, target: str) -> Iterator[ReadRow]:
    number = 0
    for number, line in enumerate(_lines(path), 1):
        place, cells = Place(path, number, is_line=True), line.split("\t")
        if len(cells) == 2:
            yield place, dict(zip((source, target), cells, strict=True))
        else:
            problem = f"{len(cells)} tab-separated column(s), not 2"
            yield place, place.error(problem, remedy="write source, tab, translation")
    if not number:
        raise DataError("the file is empty", file=path, remedy="give a file with sentence pairs")


def _lines(path: str) -> Iterator[str]:
    """Yield the lines of a plain or gzip text file. Raises DataError, naming it."""
    file = Path(path).expanduser()
    opener = gzip.open if file.name.endswith(".gz") else open
    try:
        with opener(file, "rt", encoding="utf-8-sig", newline="\n") as stream:
            for line in stream:
                yield line.rstrip("\r\n")
    except FileNotFoundError as error:
        remedy = f"correct the path (relative paths start at {Path.cwd()})"
        raise DataError("there is no such file", file=path, remedy=remedy) from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"is not UTF-8 (byte {error.start})", file=path, remedy="save the file as UTF-8"
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"cannot be read: {error}", file=path, remedy="check the file and its permissions"
        ) from error
