"""`prefrun resume RUN_DIR`: go on with a run that was cut."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import NoReturn

from prefrun.commands.begun import open_run, stored_config
from prefrun.errors import ConfigError


class _Parser(ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}\n  usage: prefrun resume RUN_DIR [--accept-changes]")


def resume(arguments: list[str]) -> int:
    """Continue the run in RUN_DIR from its last whole checkpoint. Returns 0 when it finished.

    A run whose models, other files, code or libraries are not those it began with is refused;
    --accept-changes resumes it all the same, and the result says so.
    Raises ConfigError where the folder holds no run, or one that has finished, or is refused.
    """
    parser = _Parser(prog="prefrun resume", add_help=False, allow_abbrev=False)
    parser.add_argument("folder", type=Path, metavar="RUN_DIR")
    parser.add_argument("--accept-changes", action="store_true")
    options = parser.parse_args(arguments)
    from prefrun.job import Origin
    from prefrun.run import resume as resume_run
    from prefrun.rundir.files import read_json
    from prefrun.rundir.status import FINISHED, read_status

    directory = open_run(options.folder)
    if directory.status.exists() and read_status(directory).status == FINISHED:
        raise ConfigError(
            f"{directory.path} has finished; `prefrun report {directory.path}` shows its result"
        )
    group = read_json(directory.manifest)["group"]
    origin = Origin(tuple(sys.argv), group=group)
    resume_run(directory, stored_config(directory), origin, options.accept_changes)
    return 0
