"""The small language that says where in a record a value lies: `info.post`, `answers[].text`.

`a.b` is the key b of the object a; through a list it means the same of each item, which may be
written `a[].b`; `a[0].b` is that of the first item. `a+b` joins the texts of a and b that are not
empty by a line end. `-a` is a number with its sign turned.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prefrun.errors import ConfigError
from prefrun.records.place import Row

Keys = tuple[str | int, ...]
"""The way to a value: names of objects' keys, and numbers of lists' items where one is meant."""

_PATH = re.compile(r"[^.\[\]]+(\[\d*\])*(\.[^.\[\]]+(\[\d*\])*)*")
_PIECE = re.compile(r"\[(\d*)\]|([^.\[\]]+)")


@dataclass(frozen=True, slots=True)
class Expression:
    """What stands behind `data.columns.TARGET=`."""

    text: str
    parts: tuple[Keys, ...]
    """The paths whose values are joined; mostly one."""
    negated: bool = False

    def read(self, row: Row) -> Any:
        """Return the value in ROW; None where it is absent."""
        if self.text in row:  # a column whose name holds a dot or a plus
            return row[self.text]
        values = [read_keys(row, keys) for keys in self.parts]
        if len(values) > 1:
            return _joined(values)
        return _negative(values[0]) if self.negated else values[0]


def parse(text: object, key: str) -> Expression:
    """Return the expression TEXT, the value of KEY. Raises ConfigError."""
    if not isinstance(text, str) or not text.strip():
        raise ConfigError(f"{key}={text} must name a column, such as {key}=question")
    negated = text.startswith("-")
    parts = tuple(split_path(part, key) for part in text.removeprefix("-").split("+"))
    return Expression(text, parts, negated)


def split_path(text: str, key: str) -> Keys:
    """Return the keys of one path. Raises ConfigError naming KEY."""
    if not _PATH.fullmatch(text):
        raise ConfigError(
            f"{key}: {text!r} is no path to a column\n  remedy: write it like info.post, "
            "answers[].text (of every item) or answers[0].text (of the first)"
        )
    found: list[str | int] = []
    for piece in _PIECE.finditer(text):
        if piece[2] is not None:
            found.append(piece[2])
        elif piece[1]:
            found.append(int(piece[1]))
    return tuple(found)


def read_keys(value: Any, keys: Keys) -> Any:
    """Return what lies at KEYS below VALUE, a list of these through a list; None if absent."""
    for position, key in enumerate(keys):
        if isinstance(key, int):
            is_there = isinstance(value, list | tuple) and key < len(value)
            value = value[key] if is_there else None
        elif isinstance(value, list | tuple):
            return [read_keys(item, keys[position:]) for item in value]
        else:
            value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _joined(values: list[Any]) -> Any:
    texts = [value for value in values if value not in (None, "")]
    if all(isinstance(text, str) for text in texts):
        return "\n".join(texts) if texts else None
    return next(text for text in texts if not isinstance(text, str))  # its reader refuses it


def _negative(value: Any) -> Any:
    if isinstance(value, list):
        return [_negative(item) for item in value]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return -value if is_number else value
