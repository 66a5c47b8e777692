"""What keeps the page small: short numbers, and every text once."""

from __future__ import annotations

import math
from collections.abc import Sequence

DIGITS = 5
"""Significant digits of a number on the page."""


def rounded(value: float | None) -> float | None:
    """Return VALUE with `DIGITS` significant digits, whole numbers as int; None if not finite."""
    if value is None or not math.isfinite(value):
        return None
    short = float(f"{value:.{DIGITS}g}")
    return int(short) if short.is_integer() else short


def thinned(count: int, most: int) -> Sequence[int]:
    """Return at most MOST of the indices below COUNT, evenly spread, first and last included."""
    if count <= most:
        return range(count)
    return [round(place * (count - 1) / (most - 1)) for place in range(most)]


class Texts:
    """Every distinct text once; the page refers to them by number."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self.characters = 0

    def number(self, text: str) -> int:
        """Return the number of TEXT, a new one where it is new."""
        if text not in self._numbers:
            self._numbers[text] = len(self._numbers)
            self.characters += len(text)
        return self._numbers[text]

    def all(self) -> list[str]:
        """Return the texts in the order of their numbers."""
        return list(self._numbers)
