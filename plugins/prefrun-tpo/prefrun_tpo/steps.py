"""Cuts a solution into its steps; joined again, they are its text."""

from __future__ import annotations

import re
from collections.abc import Sequence

MARKER = re.compile(r"\bStep[ \t]*\d{1,2}[ \t]*:")
"""'Step k:', of one or two digits, wherever it stands."""


def begins_with_marker(text: str) -> bool:
    """Whether TEXT begins with 'Step k:', but for white space."""
    return MARKER.match(text.lstrip()) is not None


def split_at_markers(text: str) -> list[str]:
    """Return TEXT cut before each 'Step k:'; what stands before the first one is a step as well."""
    starts = [match.start() for match in MARKER.finditer(text)]
    if not starts or text[: starts[0]].strip():
        starts.insert(0, 0)
    else:
        starts[0] = 0  # white space belongs to the step it stands before
    ends = [*starts[1:], len(text)]
    return [text[start:end] for start, end in zip(starts, ends, strict=True) if end > start]


def split_lines(text: str) -> list[str]:
    """Return the lines of TEXT, each with its end; a blank line belongs to the one before it."""
    steps: list[str] = []
    for line in text.splitlines(keepends=True):
        if steps and not line.strip():
            steps[-1] += line
        else:
            steps.append(line)
    return steps


def split_like(text: str, example: Sequence[str]) -> list[str]:
    """Cut TEXT as the steps of EXAMPLE are: at 'Step k:' where they begin so, else at line ends."""
    marked = all(begins_with_marker(step) for step in example)
    return split_at_markers(text) if marked else split_lines(text)
