"""Reads which of several answers a record says is better."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from prefrun.errors import DataError

TIES = ("tie", "both", "neither", "equal", "draw", "same")
"""A winner that begins with one of these words is none."""

_LETTER = re.compile(r"(.*[\W_])?([a-h])", re.IGNORECASE)


def ranks_of_winner(
    value: Any, field: str, count: int, names: Sequence[str], values: Sequence[Any] | None
) -> list[int]:
    """Return 1 for the better of COUNT answers and 2 for the others; all 1 for a tie.

    VALUE of the column FIELD is one of VALUES, if these are given; else the name of an answer's
    column (NAMES), or a name that ends in the letter of one, such as model_a. A plain number says
    nothing by itself: some data count from 0, some from 1, some mean true and false.
    Raises DataError.
    """
    if values is not None:
        index = _index_in(value, values)
    elif isinstance(value, str) and not value.strip().lstrip("-").isdigit():
        index = _index_by_name(value, count, names)
    else:
        raise DataError(
            f"is {value!r}, which does not say which answer it means",
            field=field,
            remedy="give what it holds for each of the answers, in their order, such as "
            "data.columns.winner_values=[0,1]",
        )
    if index is None and _is_tie(value):
        return [1] * count
    if index is None or index >= count:
        raise DataError(
            f"is {value!r:.40}, which is none of the {count} answers",
            field=field,
            remedy="say by data.columns.winner_values what it holds for each answer in their order",
        )
    return [1 if number == index else 2 for number in range(count)]


def _index_in(value: Any, values: Sequence[Any]) -> int | None:
    shown = [str(each).strip().casefold() for each in values]
    text = str(value).strip().casefold()
    if isinstance(value, float) and value.is_integer() and text not in shown:
        text = str(int(value))
    return shown.index(text) if text in shown else None


def _index_by_name(value: str, count: int, names: Sequence[str]) -> int | None:
    if value in names:
        return names.index(value)
    letter = _LETTER.fullmatch(value.strip())
    if letter is None:
        return None
    ends = [_LETTER.fullmatch(name) for name in names]
    letters = [end[2].lower() for end in ends if end]
    if len(letters) != count or len(set(letters)) != count:
        letters = [chr(ord("a") + number) for number in range(count)]
    wanted = letter[2].lower()
    return letters.index(wanted) if wanted in letters else None


def _is_tie(value: Any) -> bool:
    return isinstance(value, str) and value.strip().casefold().startswith(TIES)
