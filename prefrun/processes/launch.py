"""Starts a job's processes with torchrun's launcher, as `accelerate launch` does, and waits.

The first process writes the run directory and evaluates; the others only train with it.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException, Std
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from prefrun.processes.failure import first_error
from prefrun.processes.worker import CONFIG
from prefrun.run import describe_run, log_to, write_origin
from prefrun.rundir.configuration import to_text
from prefrun.rundir.status import RUNNING, fail, interrupt, read_status, start
from prefrun.rundir.summary import read_summary

if TYPE_CHECKING:
    from prefrun.run import Job
    from prefrun.rundir.directory import RunDirectory

SIGNALS = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT")
"""Passed on to the processes."""
PATIENCE = "600"
"""Seconds a process has to end its step and write a checkpoint at Ctrl-C."""
log = logging.getLogger(__name__)


def carry_out_in_processes(job: Job) -> dict[str, Any]:
    """Do what is left of JOB in processes of its own, and return its summary.

    Raises what the first process to fail raised, or PrefrunError for one that was killed;
    KeyboardInterrupt at Ctrl-C, which the processes answer with a checkpoint.
    """
    write_origin(describe_run(job), job)
    start(job.directory)
    processes = job.plan.launch.processes or 1
    with TemporaryDirectory(prefix="prefrun-") as scratch, _signals_restored():
        try:
            os.environ[CONFIG] = to_text(job.plan.plain)
            _run(job.directory, processes, Path(scratch))
        except (SignalException, KeyboardInterrupt) as error:
            raise _ended_by_signal(job.directory, error) from None
        except ChildFailedError as error:
            reason = _reason(error, Path(scratch), job.directory)
            raise reason from None
        finally:
            os.environ.pop(CONFIG, None)
    return read_summary(job.directory)


def _run(directory: RunDirectory, processes: int, scratch: Path) -> None:
    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", PATIENCE)
    for name in ("torch.distributed.elastic", "torch.distributed.launcher"):
        logging.getLogger(name).propagate = False  # failures are told in our own words
        logging.getLogger(name).addHandler(logging.NullHandler())
    others = {rank: Std.ALL for rank in range(1, processes)}
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=token_hex(8),
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",  # a free port
        max_restarts=0,
        logs_specs=DefaultLogsSpecs(log_dir=str(scratch / "logs"), redirects=others),
    )
    words = ("-m", "prefrun.processes.worker", str(directory.path), str(scratch))
    elastic_launch(config, sys.executable)(*words)


def _reason(error: ChildFailedError, scratch: Path, directory: RunDirectory) -> Exception:
    """Write down why the job failed, and return it."""
    codes = {rank: failure.exitcode for rank, failure in error.failures.items()}
    logs = {
        int(path.parent.name): path
        for path in (scratch / "logs").rglob("stderr.log")
        if path.parent.name.isdecimal()
    }
    reason = first_error(scratch, codes, logs)
    with log_to(directory.log):
        log.error("a process failed", exc_info=reason)
    fail(directory, reason)
    return reason


def _ended_by_signal(directory: RunDirectory, error: BaseException) -> BaseException:
    """Write down that the run was interrupted, and return what ends this process, too."""
    if read_status(directory).status == RUNNING:
        interrupt(directory)
    if isinstance(error, SignalException) and error.sigval != signal.SIGINT:
        return SystemExit(128 + error.sigval)
    return KeyboardInterrupt()


@contextmanager
def _signals_restored() -> Iterator[None]:
    """The launcher leaves handlers of its own behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
