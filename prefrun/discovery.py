"""Finds installed plugins, whatever state their metadata are in, and imports one without a mess."""

from __future__ import annotations

import ast
import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field
from importlib.metadata import Distribution, EntryPoint, distributions
from typing import Any

GROUP = "prefrun"
HEAVY = ("torch", "transformers", "tensorflow", "jax", "datasets", "scipy", "pandas", "sklearn")
"""Modules whose import takes a good part of a second; every command would wait for it."""


@dataclass(frozen=True, slots=True)
class Found:
    """An entry point, or why a distribution's cannot be read."""

    name: str
    distribution: str
    version: str
    point: EntryPoint | None
    error: str | None = None


def installed() -> list[Found]:
    """Return the plugins there are, by name; of a distribution found twice only the first."""
    found: dict[str, list[Found]] = {}
    for distribution in distributions():
        try:
            text = distribution.read_text("entry_points.txt") or ""
        except Exception:  # unreadable, so that nobody can say it is for prefrun
            continue
        if f"[{GROUP}]" in text.replace(" ", ""):
            name = _name(distribution)
            found.setdefault(name.lower().replace("_", "-"), _points(distribution, name))
    return sorted((each for some in found.values() for each in some), key=lambda each: each.name)


def _name(distribution: Distribution) -> str:
    try:
        return str(distribution.metadata["Name"] or "unknown")
    except Exception:  # no METADATA, or an unreadable one
        folder = os.path.basename(str(getattr(distribution, "_path", "unknown")))
        return folder.partition("-")[0].replace("_", "-")


def _points(distribution: Distribution, name: str) -> list[Found]:
    version = "unknown"
    with suppress(Exception):  # as above; the plugin itself may be in order
        version = str(distribution.metadata["Version"] or version)
    try:
        points = list(distribution.entry_points.select(group=GROUP))
        for point in points:
            point.module  # noqa: B018 - raises for a value that names none
    except Exception as error:
        place = getattr(distribution, "_path", "its metadata")
        reason = f"entry_points.txt cannot be read: {type(error).__name__}: {error} ({place})"
        return [Found(name, name, version, None, reason)]
    return [Found(point.name, name, version, point) for point in points]


@dataclass(slots=True)
class Observed:
    """What a plugin did as it was imported, beside registering."""

    warnings: list[str] = field(default_factory=list)


class _Overheard(io.StringIO):
    """Takes what is printed, and remembers where the first print stands."""

    def __init__(self) -> None:
        super().__init__()
        self.place: str | None = None

    def write(self, text: str) -> int:
        """Keep TEXT."""
        frame: Any = sys._getframe(1)
        if self.place is None:
            self.place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        return super().write(text)

    @property
    def buffer(self) -> Any:
        """Bytes go to stderr at once."""
        return sys.stderr.buffer


@contextmanager
def observing(name: str, module: str) -> Iterator[Observed]:
    """Keep stdout clean of what plugin NAME in MODULE prints, and note heavy imports."""
    seen, text, before = Observed(), _Overheard(), set(sys.modules)
    try:
        with redirect_stdout(text):
            yield seen
    finally:
        if printed := text.getvalue().strip():
            seen.warnings.append(f"prints as it is listed, to stderr here ({text.place})")
            print(f"plugin {name} printed ({text.place}): {printed}", file=sys.stderr)
        if heavy := [each for each in HEAVY if each in sys.modules and each not in before]:
            place = import_line(module, heavy)
            seen.warnings.append(
                f"imports {', '.join(heavy)} as it is listed, so that every command waits for it"
                + (f" ({place})" if place else "")
            )


def import_line(module: str, names: Sequence[str]) -> str | None:
    """Return FILE:LINE of the first import of one of NAMES in a loaded module of MODULE's package.

    None where none of its files has one: another package imports it.
    """
    top = module.partition(".")[0]
    for name, loaded in sorted(sys.modules.items()):
        file = getattr(loaded, "__file__", None)
        if name.partition(".")[0] != top or not file or not file.endswith(".py"):
            continue
        with open(file, encoding="utf-8", errors="replace") as source:
            tree = ast.parse(source.read())
        for node in tree.body:
            if isinstance(node, ast.Import):
                found = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                found = [node.module or ""]
            else:
                continue
            if {each.partition(".")[0] for each in found} & set(names):
                return f"{file}:{node.lineno}"
    return None
