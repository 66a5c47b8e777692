"""metrics.jsonl: one JSON object per logged step. A kill leaves at most one partial last line."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from io import FileIO
from pathlib import Path
from typing import Any

from prefrun.errors import PrefrunError
from prefrun.rundir.files import plain, write_atomically, write_error


class MetricsLog:
    """Appends to one run's metrics.jsonl. Holds no open file between calls."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, step: int, metrics: Mapping[str, object]) -> None:
        """Add the line {"step": STEP, ...METRICS} and wait until it is on disk.

        Numbers that are not finite become null. Raises PrefrunError where the line cannot be
        written; the file then still ends with a whole line.
        """
        line = (json.dumps(plain({"step": step, **metrics}), ensure_ascii=False) + "\n").encode()
        try:
            with FileIO(self.path, "a+") as file:
                end = _end_of_whole_lines(file)
                file.truncate(end)
                try:
                    _write_all(file, line)
                    os.fsync(file.fileno())
                except OSError:
                    file.truncate(end)
                    raise
        except OSError as error:
            raise write_error(self.path, len(line), error) from error

    def truncate_after(self, step: int) -> None:
        """Drop the lines of steps above STEP, and a partial last line, for a resume at STEP."""
        if not self.path.exists():
            return
        kept = [line for line, values in _lines(self.path) if values["step"] <= step]
        write_atomically(self.path, b"".join(kept))


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Return the lines of PATH in order; [] where there is no file. A partial last line is ignored.

    Raises PrefrunError, naming file and line, where any other line is damaged.
    """
    return [values for _, values in _lines(path)] if path.exists() else []


def _lines(path: Path) -> list[tuple[bytes, dict[str, Any]]]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PrefrunError(f"{path}: cannot be read: {error.strerror or error}") from error
    lines = content[: content.rfind(b"\n") + 1].splitlines(keepends=True)
    return [(line, _parse(path, number, line)) for number, line in enumerate(lines, start=1)]


def _parse(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except ValueError as error:
        raise PrefrunError(f"{path}, line {number}: is not valid JSON: {error}") from error
    if not isinstance(values, dict) or not isinstance(values.get("step"), int):
        raise PrefrunError(f"{path}, line {number}: is no object with a whole number 'step'")
    return values


def _end_of_whole_lines(file: FileIO) -> int:
    size = file.seek(0, os.SEEK_END)
    if size == 0:
        return 0
    file.seek(size - 1)
    if file.read(1) == b"\n":
        return size
    file.seek(0)
    return file.readall().rfind(b"\n") + 1


def _write_all(file: FileIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:  # an unbuffered write may take only a part
        rest = rest[file.write(rest) :]
