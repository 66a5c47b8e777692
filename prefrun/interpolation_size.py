"""Refuses interpolations that would grow without end, as `a: ${b}${b}`, `b: ${c}${c}`, ... do."""

from __future__ import annotations

import re
from collections.abc import Mapping

from prefrun.errors import ConfigError

REFERENCE = re.compile(r"\$\{\s*(\.*[^${}:\s]+)\s*\}")
MOST_STEPS = 10_000
"""Interpolations that one value may lead to, all those inside of them counted."""


def check_interpolations(values: Mapping[str, object]) -> None:
    """Raise ConfigError where one of VALUES, by dotted key, leads to too many interpolations.

    A circle is left to OmegaConf, which names it.
    """
    texts = {key: value for key, value in values.items() if isinstance(value, str) and "$" in value}
    known: dict[str, int] = {}
    for key in texts:
        try:
            steps = _steps(key, texts, known)
        except RecursionError:  # a chain as long as this one ends no resolving either
            steps = MOST_STEPS + 1
        if steps > MOST_STEPS:
            raise ConfigError(
                f"{key}={texts[key]} leads to more than {MOST_STEPS:,} interpolations\n"
                "  remedy: write the value out"
            )


def _steps(key: str, texts: Mapping[str, str], known: dict[str, int]) -> int:
    """Interpolations behind KEY, which may be a section; KNOWN: those of keys met before."""
    if key not in known:
        known[key] = 0  # a circle adds nothing
        if key in texts:
            found = [_absolute(name, key) for name in REFERENCE.findall(texts[key])]
        else:
            found = [name for name in texts if name.startswith(f"{key}.")]
        known[key] = len(found) + sum(_steps(name, texts, known) for name in found)
    return known[key]


def _absolute(name: str, key: str) -> str:
    """The dotted key that NAME, such as `..a`, means in the value of KEY."""
    path = name.lstrip(".")
    dots = len(name) - len(path)
    if not dots:
        return name
    parts = key.split(".")
    return ".".join([*parts[: max(0, len(parts) - dots)], path])
