"""Says where in a plugin's own files an error came from, so that its author finds it."""

from __future__ import annotations

import inspect
import sys
import traceback
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def told(error: BaseException, module: str) -> str:
    """Return ERROR in one line, with file and line of the package of MODULE it came through."""
    text = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(":")
    place = place_of(error, module)
    return f"{text} ({place})" if place else text


def place_of(error: BaseException, module: str) -> str | None:
    """Return FILE:LINE of the last line of the package of MODULE that ERROR came through."""
    root = _root(module)
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = [(each.filename, each.lineno) for each in traceback.extract_tb(error.__traceback__)]
    own = [each for each in frames if root and is_within(each[0], root)]
    return f"{own[-1][0]}:{own[-1][1]}" if own else None


def definition_of(function: Callable[..., Any]) -> str:
    """Return FILE:LINE of FUNCTION."""
    code = inspect.unwrap(function).__code__
    return f"{code.co_filename}:{code.co_firstlineno}"


def is_within(file: str, root: Path) -> bool:
    """Whether FILE is ROOT, or in that folder."""
    path = Path(file)
    return path == root or root in path.parents


def _root(module: str) -> Path | None:
    """The package's folder, or the file of a plugin that is one module."""
    top = module.partition(".")[0]
    try:
        spec = getattr(sys.modules.get(top), "__spec__", None) or find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    folders = list(spec.submodule_search_locations or ())
    if folders:
        return Path(folders[0])
    return Path(spec.origin) if spec.origin else None
