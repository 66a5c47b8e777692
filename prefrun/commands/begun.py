"""Opens a run directory for a command that needs to know how the run began."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from prefrun.errors import ConfigError

if TYPE_CHECKING:
    from prefrun.rundir.directory import RunDirectory


def open_run(path: Path) -> RunDirectory:
    """Return the run directory PATH. Raises ConfigError where it holds no run, or none that began.

    A job that a sweep refused has a status, and nothing to report, compare or go on with.
    """
    from prefrun.rundir.directory import RunDirectory
    from prefrun.rundir.status import read_status

    directory = RunDirectory(path).open()
    if not directory.manifest.exists():
        reason = read_status(directory).unfinished() if directory.status.exists() else "killed"
        raise ConfigError(
            f"{path}: the run never began ({reason})\n  remedy: delete the folder and run it anew"
        )
    return directory
