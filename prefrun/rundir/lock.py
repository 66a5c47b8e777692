"""At most one process works in a run directory. Its lock ends with it, however it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from prefrun.errors import ConfigError

LOCK_FILE = ".lock"


def try_lock(folder: Path) -> BaseFileLock | None:
    """Return the held lock of the run directory FOLDER, which is made where it is missing.

    Returns None where another process, or another run of this one, holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK_FILE)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return None
    return lock


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of FOLDER. Raises ConfigError where another process works there."""
    lock = try_lock(folder)
    if lock is None:
        raise ConfigError(
            f"{folder}: another process is at work on this run\n"
            "  remedy: wait for it, or choose another output_dir"
        )
    try:
        yield
    finally:
        lock.release()
