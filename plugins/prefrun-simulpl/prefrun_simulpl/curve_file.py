"""Where a run keeps its curve of quality against latency."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefrun.rundir.files import read_json

FOLDER, CURVE, INSTANCES = "simt", "curve.json", "instances.log"
"""Folder below the evaluators' own, and the files in it."""


def read_curve(directory: Path) -> list[dict[str, Any]]:
    """Return the rows of the curve of the run in DIRECTORY; [] where it has none.

    Raises PrefrunError, naming the file, where it is damaged.
    """
    path = directory / "evaluation" / FOLDER / CURVE
    return list(read_json(path)) if path.exists() else []
