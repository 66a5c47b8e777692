"""How far the jobs of a sweep are, read from its folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import fmean

from prefrun.errors import ConfigError, PrefrunError
from prefrun.jobs.index import INDEX, Entry, Index, read_index
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.status import FINISHED, Status, read_status


@dataclass(frozen=True, slots=True)
class JobProgress:
    """One job that was begun."""

    folder: str
    words: tuple[str, ...]
    """Its key=value words."""
    step: int
    steps: int
    """0 until training begins."""
    reason: str = ""
    """Why it has no result: first line of the error, or where it was cut."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A sweep at one moment."""

    folder: Path
    finished: tuple[JobProgress, ...]
    running: tuple[JobProgress, ...]
    ended: tuple[JobProgress, ...]
    """Failed, interrupted or killed."""
    remaining: int | None
    """Jobs not begun; None where a search decides as it goes."""
    seconds_left: float | None
    """Until all are done, if those to come take as long as the finished ones did on average and as
    many run side by side as now; None where nothing is known."""


def read_progress(folder: Path) -> Progress:
    """Return how far the sweep or the run in FOLDER is. Raises ConfigError where there is none."""
    index = _index(folder)
    finished, running, ended, spans = [], [], [], []
    for entry in index.entries:
        status = _status(folder, entry)
        job = _progress(entry, status)
        if status is not None and status.status == FINISHED:
            finished.append(job)
            spans.append(_seconds(status))
        elif status is not None and status.is_at_work():
            running.append(job)
        else:
            ended.append(job)
    remaining = None
    if index.planned is not None:
        begun = {tuple(entry.overrides) for entry in index.entries}
        remaining = sum(tuple(words) not in begun for words in index.planned)
    left = _seconds_left(spans, running, remaining)
    return Progress(folder, tuple(finished), tuple(running), tuple(ended), remaining, left)


def _index(folder: Path) -> Index:
    if (folder / INDEX).exists():
        return read_index(folder)
    if RunDirectory(folder).holds_run():
        return Index(planned=[], entries=[Entry("", [], None)])
    raise ConfigError(
        f"{folder} holds neither a sweep (no {INDEX}) nor a run\n"
        "  remedy: name the folder of a sweep, such as runs/sweep-1a2b3c4d"
    )


def _status(folder: Path, entry: Entry) -> Status | None:
    try:
        return read_status(RunDirectory(folder / entry.folder))
    except PrefrunError:  # killed before it could write one, or deleted
        return None


def _progress(entry: Entry, status: Status | None) -> JobProgress:
    words = tuple(word for word in entry.overrides if not word.startswith("output_dir="))
    if status is None:
        return JobProgress(entry.folder, words, 0, 0, "killed before the first step")
    return JobProgress(entry.folder, words, status.step, status.steps, status.unfinished() or "")


def _seconds(status: Status) -> float:
    started, updated = map(datetime.fromisoformat, (status.started, status.updated))
    return (updated - started).total_seconds()


def _seconds_left(
    spans: Sequence[float], running: Sequence[JobProgress], remaining: int | None
) -> float | None:
    if not spans or remaining is None:
        return None
    to_come = remaining + sum(1 - (job.step / job.steps if job.steps else 0) for job in running)
    return fmean(spans) * to_come / max(1, len(running))
