"""Gives each job of a sweep its folder, and each folder one process, under the sweep's lock."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import BaseFileLock, FileLock

from prefrun.jobs.identity import Identity
from prefrun.jobs.index import Entry, Index, read_index, write_index
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.lock import LOCK_FILE, try_lock
from prefrun.rundir.masking import mask_arguments
from prefrun.rundir.status import FINISHED, read_status

START, RESUME, SKIP, BUSY = "start", "resume", "skip", "busy"


@dataclass(frozen=True, slots=True)
class Claim:
    """What is to be done about a job, and where."""

    folder: Path
    action: str
    """start: the folder is empty; resume: go on in it; skip: it has finished; busy: another
    process is at it."""


@contextmanager
def claim(
    sweep: Path, identity: Identity | None, number: int, overrides: Sequence[str]
) -> Iterator[Claim]:
    """Find or make the folder of a job of SWEEP, and hold its lock where there is work to do.

    A job is known by its IDENTITY. One that was begun with other code or data and has no result
    starts anew in its folder; one with a result keeps it, and the new job gets a folder of its own:
    that of its NUMBER, where it is free. IDENTITY None: the job was refused, as OVERRIDES say.
    """
    with FileLock(sweep / LOCK_FILE):
        index = read_index(sweep)
        found, lock = _find(sweep, index, identity, number, mask_arguments(overrides))
        write_index(sweep, index)
    try:
        yield found
    finally:
        if lock:
            lock.release()


def _find(
    sweep: Path, index: Index, identity: Identity | None, number: int, overrides: list[str]
) -> tuple[Claim, BaseFileLock | None]:
    known = index.of(identity) if identity else None
    if known is not None:
        known.overrides = overrides
        folder = sweep / known.folder
        if _has_finished(folder):
            return Claim(folder, SKIP), None
        lock = try_lock(folder)
        begun = RunDirectory(folder).manifest.exists()
        action = (RESUME if begun else START) if lock else BUSY
    else:
        entry, lock = _take_over(sweep, index, identity, overrides) or _add(sweep, index, number)
        entry.overrides, entry.identity = overrides, identity
        folder, action = sweep / entry.folder, START
    if action == START:
        _empty(folder)
    return Claim(folder, action), lock


def _take_over(
    sweep: Path, index: Index, identity: Identity | None, overrides: list[str]
) -> tuple[Entry, BaseFileLock] | None:
    """The folder of an earlier try of the same job, which has no result and nobody at work."""
    same = index.with_words(overrides)
    if identity is not None:
        begun = [entry for entry in index.entries if entry.identity]
        same += [entry for entry in begun if entry.identity.config == identity.config]  # type: ignore[union-attr]
    for entry in same:
        folder = sweep / entry.folder
        if not _has_finished(folder) and (lock := try_lock(folder)):
            return entry, lock
    return None


def _add(sweep: Path, index: Index, number: int) -> tuple[Entry, BaseFileLock | None]:
    taken = {entry.folder for entry in index.entries}
    taken |= {path.name for path in sweep.iterdir() if not _is_empty(path)}
    if str(number) in taken:
        number = 1 + max(int(name) for name in taken if name.isdecimal())
    entry = Entry(str(number), [], None)
    index.entries.append(entry)
    return entry, try_lock(sweep / entry.folder)


def _is_empty(folder: Path) -> bool:
    """Whether FOLDER was made for a job by a process that was killed before it could say so."""
    return folder.is_dir() and all(path.name == LOCK_FILE for path in folder.iterdir())


def _has_finished(folder: Path) -> bool:
    directory = RunDirectory(folder)
    return directory.status.exists() and read_status(directory).status == FINISHED


def _empty(folder: Path) -> None:
    """Remove what a try without result has left, but for the lock that is held."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != LOCK_FILE:
            path.unlink()
