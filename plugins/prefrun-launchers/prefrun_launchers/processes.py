"""Runs jobs in processes of this machine, of which each runs one job and ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from threading import Lock

import cloudpickle
from hydra.core.utils import JobReturn

from prefrun_launchers.sweep_job import SweepJob
from prefrun_launchers.worker import JOB, RESULT


class Processes:
    """As many processes at a time as there are slots. Every one owns its slot's environment."""

    def __init__(self, slots: Sequence[Mapping[str, str]]) -> None:
        self._count = len(slots)
        self._free: SimpleQueue[Mapping[str, str]] = SimpleQueue()
        for slot in slots:
            self._free.put(slot)
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopping = False
        self._starting, self._recording = Lock(), Lock()

    def run(self, jobs: Sequence[SweepJob]) -> list[JobReturn]:
        """Run JOBS and return what each returned, in order. A signal ends them, and is raised."""
        pool = ThreadPoolExecutor(self._count)
        try:
            waiting = [pool.submit(self._run_in_slot, job) for job in jobs]
            try:
                return [each.result() for each in waiting]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                self._end_all([each for each in waiting if not each.cancelled()])
                raise
        finally:
            pool.shutdown()

    def _end_all(self, waiting: Sequence[Future[JobReturn]]) -> None:
        """SIGTERM, which nobody ignores, lets a job save its work; a second signal kills it."""
        with self._starting:
            self._stopping = True
        for number in (signal.SIGTERM, signal.SIGKILL):
            for process in tuple(self._running):
                process.send_signal(number)
            try:
                wait(waiting)
                return
            except KeyboardInterrupt:
                continue

    def _run_in_slot(self, job: SweepJob) -> JobReturn:
        slot = self._free.get()
        try:
            with TemporaryDirectory(prefix="prefrun-job-") as folder:
                return self._run(job, Path(folder), slot)
        finally:
            self._free.put(slot)

    def _run(self, job: SweepJob, folder: Path, slot: Mapping[str, str]) -> JobReturn:
        (folder / JOB).write_bytes(job.pack())
        process = self._start(folder, slot)
        try:
            code = process.wait()
        finally:
            self._running.discard(process)
            assert process.stdin is not None
            process.stdin.close()
        if (folder / RESULT).exists():
            returned: JobReturn = cloudpickle.loads((folder / RESULT).read_bytes())
            return returned
        if self._stopping:
            raise CancelledError
        with self._recording:
            return job.died(how_it_ended(code))

    def _start(self, folder: Path, slot: Mapping[str, str]) -> subprocess.Popen[bytes]:
        path = os.pathsep.join(filter(None, sys.path))  # it imports what this process would
        with self._starting:
            if self._stopping:
                raise CancelledError
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "prefrun_launchers.worker", str(folder)],
                env={**os.environ, **slot, "PYTHONPATH": path},
                stdin=subprocess.PIPE,  # its end tells the worker that this process is gone
                start_new_session=True,  # else a terminal's Ctrl-C reaches it twice
            )
            self._running.add(process)
        return process


def how_it_ended(code: int) -> str:
    """Say in words what the exit CODE of a process without a result means."""
    if code >= 0:
        return f"the job's process ended with exit code {code} and no result"
    name = signal.Signals(-code).name
    hint = "; perhaps the machine was out of memory" if -code == signal.SIGKILL else ""
    return f"the job's process was ended by {name}{hint}"
