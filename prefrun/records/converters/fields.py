"""Takes typed values out of a row; a wrong one is a DataError that names its field."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from prefrun.errors import DataError, closest
from prefrun.records.place import Row

VOTES = "votes"
NO_VOTES = "data.ignore_columns=[votes]"
_KINDS: dict[type, str] = {
    type(None): "null",
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    tuple: "a list",
    dict: "an object",
}


def required(row: Row, key: str, field: str | None = None) -> Any:
    """Return ROW[KEY]. Raises DataError where it is absent or null. FIELD is its full name."""
    value = row.get(key)
    if value is None:
        others = [str(name) for name in row]
        if key in row:
            raise DataError("missing: it is null", field=field or key, remedy="give its value")
        raise DataError(
            f"missing.{closest(key, others)}",
            field=field or key,
            remedy=f"add it (the keys here are: {', '.join(others) or 'none'})",
        )
    return value


def as_text(value: Any, field: str) -> str:
    """Return VALUE if it is text that UTF-8 can hold."""
    if not isinstance(value, str):
        raise DataError(f"is {kind_of(value)}, not text", field=field)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        problem = f"holds half of a surrogate pair at character {error.start}"
        raise DataError(problem, field=field, remedy="correct the \\u escape") from error
    return value


def as_number(value: Any, field: str) -> float:
    """Return VALUE if it is a finite number; the type, int or float, stays."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        shown = f"text {value!r:.40}" if isinstance(value, str) else kind_of(value)
        raise DataError(f"is {shown}, not a number", field=field, remedy="give a plain number")
    try:
        finite = math.isfinite(value)
    except OverflowError:
        finite = False
    if not finite:
        shown = repr(value) if isinstance(value, float) else "too large"
        raise DataError(f"is {shown}, not a finite number", field=field, remedy="give its value")
    return value


def as_truth(value: Any, field: str) -> bool:
    """Return VALUE if it is true or false."""
    if not isinstance(value, bool):
        raise DataError(f"is {kind_of(value)}, neither true nor false", field=field)
    return value


def as_label(value: Any, field: str) -> float:
    """Return 1 or 0 for true or false, or for these numbers."""
    if not isinstance(value, bool | int | float) or value not in (0, 1):
        is_number = isinstance(value, int | float)
        shown = f"is {value!r}" if is_number else f"is {kind_of(value)}"
        raise DataError(f"{shown}, not true or false", field=field, remedy="write true or false")
    return float(value)


def as_list(value: Any, field: str) -> Sequence[Any]:
    """Return VALUE if it is a list."""
    if not isinstance(value, list | tuple):
        raise DataError(f"is {kind_of(value)}, not a list", field=field)
    return value


def as_object(value: Any, field: str) -> Mapping[str, Any]:
    """Return VALUE if it is an object."""
    if not isinstance(value, Mapping):
        raise DataError(f"is {kind_of(value)}, not an object", field=field)
    return value


def others(row: Row, *used: str) -> dict[str, Any]:
    """Return what ROW holds besides the keys USED."""
    return {key: value for key, value in row.items() if key not in used}


def read_votes(row: Row, count: int) -> list[float | None]:
    """Return how many raters preferred each of COUNT answers of ROW; None where it does not say.

    A single number says nothing of the answers. Raises DataError naming the field.
    """
    if not has_votes(row):
        return [None] * count
    given = row[VOTES]
    if len(given) != count:
        raise DataError(
            f"{len(given)} votes for {count} answers",
            field=VOTES,
            remedy=f"give one number per answer, or, if they mean something else, {NO_VOTES}",
        )
    return [None if v is None else _as_count(v, f"{VOTES}[{n}]") for n, v in enumerate(given)]


def has_votes(row: Row) -> bool:
    """Whether ROW says how many raters preferred each of its answers."""
    return isinstance(row.get(VOTES), list | tuple)


def _as_count(value: Any, field: str) -> float:
    number = as_number(value, field)
    if number < 0:
        raise DataError(f"is {number:g}, below 0", field=field, remedy="give a number >= 0")
    return number


def refuse_others(row: Row, known: Sequence[str], field: str) -> None:
    """Raise DataError where ROW has a key that is not KNOWN. FIELD is ROW's own name, or ''."""
    for key in row:
        if key not in known:
            name = f"{field}.{key}" if field else str(key)
            hint = closest(str(key), list(known))
            problem = f"unknown key.{hint}"
            raise DataError(problem, field=name, remedy=f"keys are {', '.join(known)}")


def kind_of(value: Any) -> str:
    """Return what VALUE is, in JSON's words."""
    return _KINDS.get(type(value), f"of type {type(value).__name__}")
