"""Reads rows from a file or folder, whatever its format. Knows nothing of what rows mean."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from prefrun.errors import DataError, closest
from prefrun.records.columnar_files import is_saved_dataset, read_parquet, read_saved_dataset
from prefrun.records.limits import out_of_memory
from prefrun.records.place import ReadRow
from prefrun.records.text_files import read_json_lines, read_json_list

READERS = {
    ".jsonl.gz": read_json_lines,
    ".jsonl": read_json_lines,
    ".json": read_json_list,
    ".parquet": read_parquet,
}
"""By the end of the file's name."""

KINDS = ".jsonl, .jsonl.gz, .json (one list) or .parquet"
SHOWN_NAMES = 5


def read_rows(path: str | Path) -> Iterator[ReadRow]:
    """Yield every row of PATH with its place, and for a row that cannot be read its DataError.

    PATH is a file (.jsonl, .jsonl.gz, .json with one list, .parquet), a folder written by
    `datasets`' save_to_disk, or a folder of files of one of these kinds, read by name.
    Raises DataError for what spoils the whole file or folder.
    """
    path = Path(path).expanduser()
    try:
        parts = _parts(path)
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
        remedy = "check the path and its permissions"
        raise DataError(problem, file=path, remedy=remedy) from error
    for part in parts:
        try:
            yield from part
        except MemoryError as error:
            raise out_of_memory(path) from error


def stem(path: str | Path) -> str:
    """Return the name of a file or folder without its folder and format: 'pairs' for
    'data/pairs.jsonl.gz'."""
    name = Path(path).expanduser().absolute().name
    return name.removesuffix(_kind(name) or "")


def _parts(path: Path) -> list[Iterator[ReadRow]]:
    """Return one reader per file. Raises DataError, OSError."""
    if not path.exists():
        raise _not_found(path)
    if not path.is_dir():
        return [_read_file(path)]
    if is_saved_dataset(path):
        return [read_saved_dataset(path)]
    return [_read_file(file) for file in _files_of(path)]


def _read_file(path: Path) -> Iterator[ReadRow]:
    kind = _kind(path.name)
    if kind is None:
        raise DataError("unknown file format", file=path, remedy=f"give {KINDS}, by its name")
    if not path.is_file():
        raise DataError("neither a file nor a folder", file=path, remedy=f"give {KINDS}")
    return READERS[kind](path)


def _kind(name: str) -> str | None:
    return next((kind for kind in READERS if name.endswith(kind)), None)


def _files_of(folder: Path) -> list[Path]:
    """Return the files of FOLDER by name. Raises DataError unless all are of one kind."""
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    if not entries:
        raise DataError("the folder is empty", file=folder, remedy=f"put {KINDS} files into it")
    kinds: dict[str | None, list[str]] = {}
    for entry in entries:
        kinds.setdefault(None if entry.is_dir() else _kind(entry.name), []).append(entry.name)
    remedy = f"keep files of one kind in it ({KINDS}), or give one file"
    if None in kinds:
        raise DataError(f"holds other things: {_some(kinds[None])}", file=folder, remedy=remedy)
    if len(kinds) > 1:
        found = "; ".join(f"{kind}: {_some(names)}" for kind, names in kinds.items())
        raise DataError(f"holds files of different kinds: {found}", file=folder, remedy=remedy)
    return entries


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return ", ".join(names[:SHOWN_NAMES]) + more


def _not_found(path: Path) -> DataError:
    neighbours = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    return DataError(
        f"no such file or folder.{closest(path.name, neighbours)}",
        file=path,
        remedy=f"correct data.path (relative paths start at {Path.cwd()})",
    )
