"""Why a process of a job failed, from the process to the one that started it."""

from __future__ import annotations

import pickle
import signal
import time
import traceback
from collections.abc import Mapping
from pathlib import Path

from prefrun.errors import PrefrunError

TAIL = 20
"""Lines of a dead process's log that are shown."""


def keep_error(folder: Path, rank: int, error: BaseException) -> None:
    """Write ERROR of process RANK where the starting process finds it."""
    kept: BaseException = PrefrunError(f"process {rank}: {type(error).__name__}: {error}")
    if not isinstance(error, PrefrunError):
        error.add_note("".join(traceback.format_exception(error)))
    try:
        content = pickle.dumps(error)
        pickle.loads(content)
        kept = error
    except Exception:  # a stranger's exception may not survive the way
        pass
    (folder / f"error-{rank}.pickle").write_bytes(pickle.dumps((time.time(), kept)))


def first_error(folder: Path, exit_codes: Mapping[int, int], logs: Mapping[int, Path]) -> Exception:
    """Return why the job failed, from what its processes left in FOLDER.

    EXIT_CODES are those of the processes that failed, negative for signals, by rank. One that was
    killed comes first: the others' errors are then only that they miss it. LOGS are their outputs.
    """
    killed = {rank: -code for rank, code in exit_codes.items() if code < 0}
    others = {rank: number for rank, number in killed.items() if number != signal.SIGTERM}
    kept = [pickle.loads(file.read_bytes()) for file in folder.glob("error-*.pickle")]
    if others or (killed and not kept):
        rank, number = next(iter((others or killed).items()))
        hint = " (the system may have run out of memory)" if number == signal.SIGKILL else ""
        name = signal.Signals(number).name
        return PrefrunError(f"process {rank} was killed by {name}{hint}{_tail(logs.get(rank))}")
    if kept:
        error: Exception = min(kept, key=lambda each: each[0])[1]
        return error
    rank, code = next(iter(exit_codes.items()))
    return PrefrunError(f"process {rank} ended with exit code {code}{_tail(logs.get(rank))}")


def _tail(log: Path | None) -> str:
    if log is None or not log.exists():
        return ""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL:]
    return "\n".join(
        ["; the end of its output:", *(f"  {line}" for line in lines)] if lines else []
    )
