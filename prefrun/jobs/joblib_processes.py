"""Jobs that joblib runs end cleanly: left to itself, joblib kills its processes at a signal."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from prefrun.errors import PrefrunError
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.status import Status, read_status

LOKY = "joblib.externals.loky.reusable_executor"
LOOK = 0.1
"""Seconds between two looks whether the jobs have ended."""


def stop_jobs(sweep: Path, number: int) -> None:
    """Send signal NUMBER to joblib's processes at work in SWEEP, and wait until they have saved."""
    told: set[int] = set()
    while at_work := _at_work(sweep):
        for pid in at_work - told:
            os.kill(pid, number)
        told |= at_work
        time.sleep(LOOK)


def _at_work(sweep: Path) -> set[int]:
    executor = getattr(sys.modules.get(LOKY), "_executor", None)
    ours = set(getattr(executor, "_processes", None) or ())
    if not ours:
        return set()
    found = (_status(path.parent) for path in sweep.glob("*/status.json"))
    return {each.pid for each in found if each and each.is_at_work()} & ours


def _status(run: Path) -> Status | None:
    try:
        return read_status(RunDirectory(run))
    except PrefrunError:  # a job is just being refused
        return None
