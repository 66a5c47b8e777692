"""Starts a job's processes with torchrun's launcher, as `accelerate launch` does, and waits.

The first process writes the run directory and evaluates; the others only train with it.
"""

from __future__ import annotations

import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, Std
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from prefrun.processes.failure import first_error
from prefrun.processes.stop_file import StopFile
from prefrun.processes.worker import CONFIG
from prefrun.run import describe_run, log_to, write_origin
from prefrun.rundir.configuration import to_text
from prefrun.rundir.status import INTERRUPTED, fail, interrupt, read_status, start
from prefrun.rundir.summary import read_summary
from prefrun.signals import Stopped, finishing_first, telling

if TYPE_CHECKING:
    from prefrun.job import Job
    from prefrun.rundir.directory import RunDirectory

log = logging.getLogger(__name__)


def carry_out_in_processes(job: Job) -> dict[str, Any]:
    """Do what is left of JOB in processes of its own, and return its summary.

    Raises what the first process to fail raised, or PrefrunError for one that was killed;
    Stopped at a signal, which the processes answer with a checkpoint.
    """
    write_origin(describe_run(job), job)
    start(job.directory)
    processes = job.plan.launch.processes or 1
    with TemporaryDirectory(prefix="prefrun-") as scratch:
        try:
            os.environ[CONFIG] = to_text(job.plan.plain)
            _wait(job.directory, processes, Path(scratch))
        except KeyboardInterrupt:
            interrupt(job.directory)
            raise
        except ChildFailedError as error:
            raise _reason(error, Path(scratch), job.directory) from None
        finally:
            os.environ.pop(CONFIG, None)
    return read_summary(job.directory)


def _wait(directory: RunDirectory, processes: int, scratch: Path) -> None:
    """Run the job's processes to their end. Raises Stopped, ChildFailedError."""
    stop = StopFile(scratch)
    with (
        # torch's launcher would set handlers of its own in the main thread
        ThreadPoolExecutor(1) as pool,
        telling(stop.ask),
        finishing_first() as stop_requested,
    ):
        try:
            pool.submit(_run, directory, processes, scratch).result()
        except Stopped:  # the second signal
            stop.insist()
            raise
        except ChildFailedError:
            if not stop_requested():
                raise


def _run(directory: RunDirectory, processes: int, scratch: Path) -> None:
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


def _reason(error: ChildFailedError, scratch: Path, directory: RunDirectory) -> BaseException:
    """Write down why the job failed, and return it; Stopped where only its processes were told."""
    codes = {rank: failure.exitcode for rank, failure in error.failures.items()}
    if set(codes) == {0} and codes[0] > 128 and read_status(directory).status == INTERRUPTED:
        return Stopped(codes[0] - 128)
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
