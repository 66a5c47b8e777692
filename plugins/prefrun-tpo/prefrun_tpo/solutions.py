"""What the steps of a solution come to, and how many stand before the first wrong one."""

from __future__ import annotations

import re
from collections.abc import Sequence

CALCULATION = re.compile(r"<<[^<>]*=([^<>=]*)>>")
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


def step_result(step: str) -> str:
    """What a step comes to: the results of its calculations as numbers, else its text."""
    found = CALCULATION.findall(step)
    return " ".join(_number(text) for text in found) if found else " ".join(step.split())


def final_number(text: str) -> str | None:
    """The last number in TEXT, in a plain form; None where there is none."""
    found = NUMBER.findall(text)
    return _number(found[-1]) if found else None


def right_steps(results: Sequence[str], ways: Sequence[Sequence[str]]) -> int:
    """How many RESULTS, from the first, some right solution has too. WAYS: theirs."""
    right = 0
    while right < len(results) and any(
        list(way[: right + 1]) == list(results[: right + 1]) for way in ways
    ):
        right += 1
    return right


def step_total(results: Sequence[str], ways: Sequence[Sequence[str]]) -> int:
    """How many steps count: those there are, at least those of the shortest right solution."""
    return max(len(results), min(map(len, ways)), 1)


def _number(text: str) -> str:
    try:
        return f"{float(text.replace(',', '')):g}"
    except ValueError:
        return text.strip()
