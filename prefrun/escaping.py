"""Shows text of records and configurations without letting it steer the terminal or the page."""

from __future__ import annotations

import re

STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but newline and tab
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # the direction of the text that follows
    "\u200b\u2028\u2029\u2060\ufeff\U000e0000-\U000e007f"  # not seen, or line ends to some only
    "\ud800-\udfff]"  # halves of a character, which no file can hold
)


def visible(text: str) -> str:
    r"""Return TEXT with control, bidirectional and invisible characters as escapes, as \x1b.

    Newlines and tabs stay as they are.
    """
    return STEERING.sub(_escape, text)


def one_line(text: str) -> str:
    """Return TEXT as `visible` does, with newlines and tabs as spaces."""
    return visible(" ".join(text.split()))


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
