"""Reads JSON lines (plain or gzip) and JSON lists, and says exactly where they are damaged."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from prefrun.errors import DataError
from prefrun.records.limits import (
    LARGEST_LIST,
    LONGEST_LINE,
    MOST_BLANK_LINES,
    check_growth,
)
from prefrun.records.place import Place, ReadRow, Row
from prefrun.rundir.files import readable_size

GZIP_MAGIC = b"\x1f\x8b"
COPY_AGAIN = "copy or download the file again"


def read_json_lines(path: Path) -> Iterator[ReadRow]:
    """Yield one row per line; blank lines are skipped. A bad line is yielded as its DataError.

    Raises DataError for what spoils the whole file: not gzip, truncated gzip, no record at all,
    more than this program should hold of one line or of one file's growth.
    """
    offset, found, blank = 0, False, 0
    for number, line in enumerate(_lines(path), 1):
        blank = 0 if line.strip() else blank + 1
        if blank > MOST_BLANK_LINES:
            problem = f"more than {MOST_BLANK_LINES:,} blank lines in a row"
            raise DataError(problem, file=path, record=number, remedy="remove the blank lines")
        if not blank:
            found = True
            place = Place(str(path), number, is_line=True)
            yield place, _parse_line(line, place, offset)
        offset += len(line)
    if not found:
        raise _empty(path)


def read_json_list(path: Path) -> Iterator[ReadRow]:
    """Yield the objects of a file that holds one JSON list. Raises DataError."""
    data = _content(path)
    if not data.strip():
        raise _empty(path)
    try:
        rows = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_without_doubles)
    except UnicodeDecodeError as error:
        raise DataError(_not_utf8(error, 0), file=path, remedy="save the file as UTF-8") from error
    except json.JSONDecodeError as error:
        remedy = "correct the file"
        if error.msg == "Extra data":
            remedy = "end the file's name in .jsonl if each line is a record, else make it one list"
        raise DataError(
            f"invalid JSON at column {error.colno}: {error.msg}",
            file=path,
            record=error.lineno,
            remedy=remedy,
        ) from error
    except (RecursionError, ValueError) as error:  # nested too deeply, or thousands of digits
        raise DataError(f"invalid JSON: {error}", file=path, remedy="correct the file") from error
    if not isinstance(rows, list):
        remedy = "make it a list of objects, or write one object per line and name it .jsonl"
        raise DataError("holds no JSON list", file=path, remedy=remedy)
    if not rows:
        raise _empty(path)
    for number, row in enumerate(rows, 1):
        place = Place(str(path), number)
        yield place, _object(row, place)


def _lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a plain or gzip file, as its name says. Raises DataError."""
    number = 0
    try:
        with _open(path) as stream:
            size, on_disk = 0, path.stat().st_size
            while line := stream.readline(LONGEST_LINE + 1):
                number += 1
                size += len(line)
                if len(line) > LONGEST_LINE:
                    raise _too_long(path, number)
                check_growth(path, size, on_disk, number)
                yield line
    except EOFError as error:
        problem = f"the gzip data end too early, in line {number + 1}: the file is truncated"
        raise DataError(problem, file=path, remedy=COPY_AGAIN) from error
    except (zlib.error, gzip.BadGzipFile) as error:
        problem = f"the gzip data are damaged after line {number}: {error}"
        raise DataError(problem, file=path, remedy=COPY_AGAIN) from error
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
        raise DataError(problem, file=path, remedy="check the file and its permissions") from error


def _content(path: Path) -> bytes:
    """Return the bytes of a plain file that holds one list. Raises DataError."""
    try:
        with _open(path) as stream:
            data = stream.read(LARGEST_LIST + 1)
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
        raise DataError(problem, file=path, remedy="check the file and its permissions") from error
    if len(data) > LARGEST_LIST:
        problem = f"is larger than {readable_size(LARGEST_LIST)}, and a list is read as a whole"
        remedy = "write one record per line, and end the file's name in .jsonl"
        raise DataError(problem, file=path, remedy=remedy)
    return data


def _too_long(path: Path, number: int) -> DataError:
    problem = f"the line is longer than {readable_size(LONGEST_LINE)}"
    remedy = "write one record per line; a file with one list ends in .json"
    return DataError(problem, file=path, record=number, remedy=remedy)


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of PAIRS. Raises ValueError for a key that stands twice: one is lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        double = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key '{double}' stands twice in one object")
    return found


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as stream:
        head = stream.read(len(GZIP_MAGIC))
    if not head:
        raise _empty(path)
    named_gzip = path.name.lower().endswith(".gz")
    if named_gzip and head != GZIP_MAGIC:
        remedy = f"{COPY_AGAIN}, or drop .gz from its name if it is plain text"
        raise DataError("is named .gz but holds no gzip data", file=path, remedy=remedy)
    if not named_gzip and head == GZIP_MAGIC:
        raise DataError("holds gzip data", file=path, remedy=f"rename it to {path.name}.gz")
    return cast("IO[bytes]", gzip.open(path)) if named_gzip else path.open("rb")


def _parse_line(line: bytes, place: Place, offset: int) -> Row | DataError:
    remedy = "correct the line"
    try:
        text = line.rstrip().decode("utf-8-sig" if offset == 0 else "utf-8")
        return _object(json.loads(text, object_pairs_hook=_without_doubles), place)
    except UnicodeDecodeError as error:
        return place.error(_not_utf8(error, offset), remedy="save the file as UTF-8")
    except json.JSONDecodeError as error:
        return place.error(f"invalid JSON at column {error.colno}: {error.msg}", remedy=remedy)
    except (RecursionError, ValueError) as error:  # nested too deeply, or thousands of digits
        return place.error(f"invalid JSON: {error}", remedy=remedy)


def _object(row: object, place: Place) -> Row | DataError:
    if isinstance(row, dict):
        return row
    problem = f"is JSON of type {type(row).__name__}, not an object"
    remedy = "write every record as {...}"
    if isinstance(row, list) and place.is_line:
        remedy += ", or end the file's name in .json if it is one list"
    return place.error(problem, remedy=remedy)


def _not_utf8(error: UnicodeDecodeError, offset: int) -> str:
    byte = error.object[error.start]
    return f"not UTF-8: byte 0x{byte:02x} at byte offset {offset + error.start}"


def _empty(path: Path) -> DataError:
    return DataError("the file is empty", file=path, remedy="give a file with records")
