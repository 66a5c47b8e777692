"""failed.jsonl: which jobs of a sweep failed, and why, in whatever process they ran."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prefrun.errors import PrefrunError
from prefrun.escaping import visible
from prefrun.jobs.claim import claim
from prefrun.jobs.index import read_index
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.masking import mask_arguments, mask_text
from prefrun.rundir.status import RUNNING, fail, read_status, start

FAILED_JOBS = "failed.jsonl"
"""In the sweep's folder: one line per failed job, the last try's at the end."""
COMMAND_ID = "PREFRUN_SWEEP_COMMAND"
"""Environment variable of every job: which command it is part of."""
log = logging.getLogger(__name__)


def record_failure(
    sweep: Path, folder: Path, number: int, overrides: Sequence[str], error: BaseException
) -> None:
    """Write and print that job NUMBER of SWEEP failed with ERROR in FOLDER."""
    reason = mask_text(str(error))
    failure = {
        "command": os.environ.get(COMMAND_ID),
        "job": number,
        "folder": folder.name,
        "overrides": mask_arguments(overrides),
        "exit_code": error.exit_code if isinstance(error, PrefrunError) else 1,
        "error": reason or type(error).__name__,
        "evaluators": list(getattr(error, "evaluators", ())),
    }
    with (sweep / FAILED_JOBS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(failure) + "\n")
    kind = "" if isinstance(error, PrefrunError) else f"{type(error).__name__}: "
    said = visible(f"job {number} in {folder} failed: {kind}{reason}")
    print(f"prefrun: {said}", file=sys.stderr)


def record_refusal(sweep: Path, number: int, overrides: Sequence[str], error: Exception) -> None:
    """Record that job NUMBER was refused before it began.

    It gets a folder of its own, unless an earlier try got further: that one is left as it is.
    """
    begun = [entry for entry in read_index(sweep).with_words(overrides) if entry.identity]
    if begun:
        record_failure(sweep, sweep / begun[-1].folder, number, overrides, error)
        return
    with claim(sweep, None, number, overrides) as found:
        write_refusal(RunDirectory(found.folder), error)
        record_failure(sweep, found.folder, number, overrides, error)


def write_refusal(directory: RunDirectory, error: Exception) -> None:
    """Say in a job's own DIRECTORY why it was refused before the run itself could."""
    from prefrun.run import log_to

    with log_to(directory.log):
        log.error("the job was refused", exc_info=error)
    start(directory)
    fail(directory, error)


def record_death(sweep: Path, number: int, overrides: Sequence[str], error: PrefrunError) -> None:
    """Record that the process of job NUMBER ended without a word of its own, as ERROR says."""
    entries = read_index(sweep).with_words(overrides)
    if not entries:  # it died before it had a folder
        record_refusal(sweep, number, overrides, error)
        return
    directory = RunDirectory(sweep / entries[-1].folder)
    if directory.status.exists() and read_status(directory).status == RUNNING:
        fail(directory, error)
    record_failure(sweep, directory.path, number, overrides, error)


def failures(sweep: Path, command: str) -> list[dict[str, Any]]:
    """Return the failures in SWEEP of the jobs of COMMAND, in order."""
    path = sweep / FAILED_JOBS
    if not path.exists():
        return []
    lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line["command"] == command]
