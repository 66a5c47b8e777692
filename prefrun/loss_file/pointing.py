"""Says where in a user's file an error happened, without the frames of anybody else."""

from __future__ import annotations

import linecache
import traceback
from pathlib import Path


def at_line(file: Path, line: int, problem: str) -> str:
    """Return 'FILE:LINE: PROBLEM' with the line's text below."""
    text = linecache.getline(str(file), line).strip()
    return f"{file}:{line}: {problem}\n    {text}" if text else f"{file}:{line}: {problem}"


def where(error: Exception, file: Path, otherwise: int = 1) -> str:
    """Return what ERROR says at the last line of FILE it came through, or at line OTHERWISE."""
    linecache.checkcache(str(file))
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return at_line(file, error.lineno or otherwise, f"{type(error).__name__}: {error.msg}")
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(file) and frame.lineno]
    return at_line(file, lines[-1] if lines else otherwise, f"{type(error).__name__}: {error}")
