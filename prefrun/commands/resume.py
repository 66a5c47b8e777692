"""`prefrun resume RUN_DIR`: go on with a run that was cut."""

from __future__ import annotations

import sys
from pathlib import Path

from prefrun.commands.begun import open_run, stored_config
from prefrun.errors import ConfigError


def resume(arguments: list[str]) -> int:
    """Continue the run in RUN_DIR from its last whole checkpoint. Returns 0 when it finished.

    Raises ConfigError where the folder holds no run, or one that has finished.
    """
    if len(arguments) != 1 or arguments[0].startswith("-"):
        raise ConfigError("usage: prefrun resume RUN_DIR")
    from prefrun.run import Origin
    from prefrun.run import resume as resume_run
    from prefrun.rundir.files import read_json
    from prefrun.rundir.status import FINISHED, read_status

    directory = open_run(Path(arguments[0]))
    if directory.status.exists() and read_status(directory).status == FINISHED:
        raise ConfigError(
            f"{directory.path} has finished; `prefrun report {directory.path}` shows its result"
        )
    group = read_json(directory.manifest)["group"]
    resume_run(directory, stored_config(directory), Origin(tuple(sys.argv), group=group))
    return 0
