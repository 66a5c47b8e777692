"""`prefrun status DIR`: how far a sweep is, live."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import NoReturn

from prefrun.errors import ConfigError

REFRESH = 1.0
"""Seconds between two looks."""


class _Parser(ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}\n  usage: prefrun status DIR")


def status(arguments: list[str]) -> int:
    """Show the jobs of the sweep in DIR: finished, running, failed, remaining, time left.

    A run directory counts as a sweep of one job.
    In a terminal the table is renewed until no job is running; else it is printed once.
    Returns 0. Raises ConfigError for a folder that holds neither.
    """
    parser = _Parser(prog="prefrun status", add_help=False, allow_abbrev=False)
    parser.add_argument("folder", type=Path, metavar="DIR")
    folder: Path = parser.parse_args(arguments).folder

    from rich.live import Live

    from prefrun.console import console
    from prefrun.jobs.progress import read_progress
    from prefrun.jobs.progress_table import progress_table

    progress = read_progress(folder)
    if not (console.is_terminal and progress.running):
        console.print(progress_table(progress))
        return 0
    with Live(progress_table(progress), console=console) as live:
        while progress.running:
            time.sleep(REFRESH)
            progress = read_progress(folder)
            live.update(progress_table(progress), refresh=True)
    return 0
