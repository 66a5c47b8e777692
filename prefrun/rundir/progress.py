"""How far a run with several trainings is, as its checkpoints say."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prefrun.rundir.files import read_json

PROGRESS = "progress.json"
"""The file in a checkpoint."""
STAGING = "incomplete"
"""Folder beside a training's checkpoints that holds one until it is whole."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a training stands in its run."""

    training: str = ""
    """Its name; '' of the only one."""
    earlier: int = 0
    """Steps of the run before it."""
    ends: Mapping[str, int] = field(default_factory=dict)
    """By the names of trainings that are over, the run's steps at their end."""
    counts: bool = True
    """Whether its steps are the run's."""

    def after(self, step: int) -> int:
        """Return the run's steps behind the training's STEP."""
        return self.earlier + step if self.counts else self.earlier

    def at(self, step: int) -> dict[str, Any]:
        """Return the content of the file at the training's STEP."""
        return {
            "training": self.training,
            "steps": self.after(step),
            "earlier": self.earlier,
            "ends": dict(self.ends),
        }


def newest(checkpoints: Path) -> dict[str, Any] | None:
    """Return what the newest checkpoint below CHECKPOINTS says; None if there is none."""
    found = by_age(checkpoints)
    return _read(found[-1]) if found else None


def by_age(checkpoints: Path) -> list[Path]:
    """Return all whole checkpoints below CHECKPOINTS, those of all trainings, oldest first."""
    folders = [*checkpoints.glob("checkpoint-*"), *checkpoints.glob("*/checkpoint-*")]
    named = [path for path in folders if path.name.removeprefix("checkpoint-").isdecimal()]
    whole = [path for path in named if path.parent.name != STAGING]
    return sorted(whole, key=lambda path: (_read(path)["steps"], path.stat().st_mtime_ns))


def keep_newest(checkpoints: Path, count: int) -> None:
    """Remove all but COUNT of the checkpoints below CHECKPOINTS."""
    for path in by_age(checkpoints)[:-count]:
        shutil.rmtree(path)


def _read(checkpoint: Path) -> dict[str, Any]:
    file = checkpoint / PROGRESS
    if file.exists():
        return dict(read_json(file))
    steps = int(checkpoint.name.removeprefix("checkpoint-"))
    return Progress().at(steps)
