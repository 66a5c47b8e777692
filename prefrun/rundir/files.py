"""Writes whole files or nothing, and reads JSON with errors that name the file."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Any

from prefrun.errors import PrefrunError

NO_SPACE = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replace the file at PATH by CONTENT (text is UTF-8): readers see the old one or the new one.

    Raises PrefrunError, naming the path and the bytes needed; the old file then stays as it was.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise write_error(path, len(data), error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_error(path: Path, size: int, error: OSError) -> PrefrunError:
    """Say why SIZE bytes could not be written to PATH, and what to do."""
    if error.errno in NO_SPACE:
        return PrefrunError(
            f"{path}: no space left on the disk; {readable_size(size)} are needed, "
            f"{_free_space(path)} are free\n"
            "  remedy: free some space, then `prefrun resume` the run directory"
        )
    return PrefrunError(f"{path}: cannot be written: {error.strerror or error}")


def _free_space(path: Path) -> str:
    for folder in path.absolute().parents:
        with suppress(OSError):
            return readable_size(shutil.disk_usage(folder).free)
    return "an unknown number of bytes"


def readable_size(size: float) -> str:
    """Return SIZE in bytes as text such as '3.2 MiB'."""
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def write_json(path: Path, value: object) -> None:
    """Write VALUE as indented JSON, atomically. Numbers that are not finite become null.

    Raises PrefrunError as `write_atomically` does.
    """
    write_atomically(path, json.dumps(plain(value), indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Return the value in the JSON file at PATH. Raises PrefrunError, naming it, if it cannot."""
    text = read_text(path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise PrefrunError(
            f"{path}: is not valid JSON (line {error.lineno}: {error.msg})\n"
            "  remedy: the file was changed or damaged; restore it, or repeat the run"
        ) from error


def read_json_lines(path: Path) -> list[Any]:
    """Return the values in the JSON-lines file at PATH, which was written whole.

    Raises PrefrunError, naming file and line, where a line is damaged.
    """
    values = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line:
            try:
                values.append(json.loads(line))
            except json.JSONDecodeError as error:
                problem = f"{path}, line {number}: is not valid JSON: {error.msg}"
                raise PrefrunError(problem) from error
    return values


def read_text(path: Path) -> str:
    """Return the UTF-8 text at PATH. Raises PrefrunError, naming it, where that cannot be done."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise PrefrunError(f"{path}: there is no such file") from error
    except UnicodeDecodeError as error:
        raise PrefrunError(f"{path}: is not UTF-8 text (byte {error.start})") from error
    except OSError as error:
        raise PrefrunError(f"{path}: cannot be read: {error.strerror or error}") from error


def plain(value: object) -> Any:
    """Return VALUE as JSON types: tuples as lists, scalars of arrays as numbers, NaN as None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, str | bool | int) or value is None:
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Sequence | set | frozenset):
        return [plain(item) for item in value]
    if callable(getattr(value, "tolist", None)):  # numpy and torch, arrays as well as scalars
        return plain(value.tolist())  # type: ignore[attr-defined]
    return str(value)
