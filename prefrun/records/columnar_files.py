"""Reads parquet files and saved `datasets` folders. Imports their libraries on use only."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from prefrun.errors import DataError
from prefrun.records.limits import check_growth
from prefrun.records.place import Place, ReadRow

BATCH_ROWS = 256
SAVED_MARK, SAVED_SPLITS_MARK = "state.json", "dataset_dict.json"


def read_parquet(path: Path) -> Iterator[ReadRow]:
    """Yield the rows of a parquet file. Raises DataError where it is damaged or empty."""
    arrow, parquet = _library("pyarrow", path), _library("pyarrow.parquet", path)
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            on_disk, size = path.stat().st_size, 0
            check_growth(path, _uncompressed(file.metadata), on_disk)
            for batch in file.iter_batches(batch_size=BATCH_ROWS):
                size += batch.nbytes
                check_growth(path, size, on_disk)
                for row in batch.to_pylist():
                    number += 1
                    yield Place(str(path), number), row
    except (arrow.ArrowException, OSError, ValueError) as error:
        problem = f"not a readable parquet file after row {number}: {_first_line(error)}"
        raise DataError(problem, file=path, remedy="copy or download the file again") from error
    if not number:
        raise DataError("the file is empty", file=path, remedy="give a file with records")


def _uncompressed(metadata: Any) -> int:
    """Bytes of all columns as the file's own index has them, before anything is decompressed."""
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    return sum(group.total_byte_size for group in groups)


def is_saved_dataset(folder: Path) -> bool:
    """Return whether FOLDER was written by `datasets`' save_to_disk."""
    return any((folder / mark).is_file() for mark in (SAVED_MARK, SAVED_SPLITS_MARK))


def read_saved_dataset(folder: Path) -> Iterator[ReadRow]:
    """Yield the rows of one saved `datasets.Dataset`. Raises DataError."""
    if (folder / SAVED_SPLITS_MARK).is_file():
        splits = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
        raise DataError(
            f"holds the splits {', '.join(splits)}",
            file=folder,
            remedy=f"choose one, such as data.path={folder / (splits or ['train'])[0]}",
        )
    library = _library("datasets", folder)
    try:
        dataset = library.load_from_disk(str(folder))
    except Exception as error:  # a damaged folder raises whatever its damaged part raises
        problem = f"not a readable `datasets` folder: {_first_line(error)}"
        raise DataError(problem, file=folder, remedy="save it again with save_to_disk") from error
    if not len(dataset):
        raise DataError("the data set is empty", file=folder, remedy="give one with records")
    for number, row in enumerate(dataset, 1):
        yield Place(str(folder), number), row


def _library(name: str, path: Path) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        problem = f"needs the package {package}: {_first_line(error)}"
        raise DataError(problem, file=path, remedy=f"pip install {package}") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
