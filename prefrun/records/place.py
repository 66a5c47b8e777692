"""Where a record stands, so that every complaint about it can say so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from prefrun.errors import DataError


@dataclass(frozen=True, slots=True)
class Place:
    """File and position of one record."""

    file: str
    """Path, or the name of a source that is no file."""
    number: int
    """Line of a JSON-lines file, else position among the records; counted from 1."""
    is_line: bool = False

    @property
    def id(self) -> str:
        """A short name, unique in its data set: 'pairs.jsonl:3'."""
        return f"{PurePath(self.file).name}:{self.number}"

    def error(
        self, problem: str, *, field: str | None = None, remedy: str | None = None
    ) -> DataError:
        """Return the DataError that says PROBLEM of this record."""
        record = self.number if self.is_line else str(self.number)
        return DataError(problem, file=self.file, record=record, field=field, remedy=remedy)


def placed(error: DataError, place: Place, remedy: str | None = None) -> DataError:
    """Return ERROR as that of the record at PLACE; REMEDY replaces its own."""
    return place.error(error.problem, field=error.field, remedy=remedy or error.remedy)


Row = Mapping[str, Any]
"""One record as its file holds it."""

ReadRow = tuple[Place, Row | DataError]
"""A row with its place; a DataError in its stead where that one row could not be read."""
