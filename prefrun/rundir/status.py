"""status.json: whether a run goes on, and where and why it ended."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime

from prefrun.errors import PrefrunError, RunPrunedError
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.files import read_json, write_json
from prefrun.rundir.masking import mask_text

RUNNING, FINISHED, FAILED, INTERRUPTED = "running", "finished", "failed", "interrupted"
PRUNED = "pruned"


@dataclass(frozen=True, slots=True)
class Status:
    """The content of status.json. Times are ISO 8601 in UTC."""

    status: str
    """running, finished, failed, interrupted or pruned."""
    reason: str | None
    """First line of the error; None unless failed or pruned."""
    step: int
    """The last optimizer step known to be done."""
    steps: int
    """Optimizer steps of the whole run; 0 until training begins."""
    pid: int
    host: str
    started: str
    """When the run first began; a resume keeps it."""
    updated: str

    def unfinished(self) -> str | None:
        """Say in a few words why the run has no result; None for a finished run."""
        if self.status == FINISHED:
            return None
        where = f"at step {self.step} of {self.steps}" if self.steps else "before the first step"
        if self.status == FAILED:
            return f"failed {where}: {self.reason}"
        if self.status == PRUNED:
            return self.reason
        if self.status == INTERRUPTED:
            return f"interrupted {where}"
        return f"killed {where}" if self._is_dead() else f"still running, {where}"

    def is_at_work(self) -> bool:
        """Whether a process is, as far as can be told, at work on the run."""
        return self.status == RUNNING and not self._is_dead()

    def _is_dead(self) -> bool:
        if self.host != socket.gethostname():
            return False
        try:
            os.kill(self.pid, 0)  # signal 0 only asks whether the process is there
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return False


def start(directory: RunDirectory) -> None:
    """Say that this process works on the run. A resumed run keeps its start time and its step."""
    now, pid, host = _now(), os.getpid(), socket.gethostname()
    if directory.status.exists():
        known = read_status(directory)
        status = replace(known, status=RUNNING, reason=None, pid=pid, host=host, updated=now)
    else:
        status = Status(RUNNING, None, 0, 0, pid, host, now, now)
    _write(directory, status)


def beat(directory: RunDirectory, step: int, steps: int) -> None:
    """Say that optimizer step STEP of STEPS is done and the run goes on."""
    known = read_status(directory)
    _write(directory, replace(known, step=step, steps=steps, updated=_now()))


def finish(directory: RunDirectory, steps: int) -> None:
    """Say that the run ended well after STEPS optimizer steps."""
    known = read_status(directory)
    _write(directory, replace(known, status=FINISHED, step=steps, steps=steps, updated=_now()))


def fail(directory: RunDirectory, error: BaseException) -> None:
    """Say that the run ended with ERROR, of which the first line is kept. Never raises."""
    lines = str(error).strip().splitlines()
    reason = lines[0] if lines else type(error).__name__
    if lines and not isinstance(error, PrefrunError):
        reason = f"{type(error).__name__}: {reason}"
    ended = PRUNED if isinstance(error, RunPrunedError) else FAILED
    _end(directory, ended, mask_text(reason))


def interrupt(directory: RunDirectory) -> bool:
    """Say that the user ended the run, unless it has finished; return whether it is so.

    Never raises.
    """
    with suppress(PrefrunError):
        if read_status(directory).status == FINISHED:
            return False
    _end(directory, INTERRUPTED, None)
    return True


def _end(directory: RunDirectory, status: str, reason: str | None) -> None:
    with suppress(PrefrunError):  # a full disk here must not hide the error that ended the run
        known = read_status(directory)
        _write(directory, replace(known, status=status, reason=reason, updated=_now()))


def _write(directory: RunDirectory, status: Status) -> None:
    write_json(directory.status, asdict(status))


def read_status(directory: RunDirectory) -> Status:
    """Return the run's status. Raises PrefrunError, naming the file, if missing or damaged."""
    value = read_json(directory.status)
    try:
        return Status(**{field.name: value[field.name] for field in fields(Status)})
    except (KeyError, TypeError) as error:
        raise PrefrunError(f"{directory.status}: is no run's status: lacks {error}") from error


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
