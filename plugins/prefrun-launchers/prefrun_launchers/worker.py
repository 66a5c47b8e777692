"""The process of one job: `python -m prefrun_launchers.worker FOLDER`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from threading import Thread

from prefrun.signals import Stopped, listening

JOB, RESULT = "job.pickle", "result.pickle"
"""In FOLDER: the packed job, and what it returned."""


def main(folder: Path) -> int:
    """Run the job in FOLDER and leave its result there. Returns the exit code."""
    try:
        with listening(repeats=False):
            Thread(target=_end_with_parent, daemon=True).start()
            _run(folder)
    except Stopped as stopped:
        return stopped.exit_code
    return 0


def _run(folder: Path) -> None:
    import cloudpickle

    from prefrun_launchers.sweep_job import run_packed

    packed = (folder / JOB).read_bytes()
    (folder / JOB).unlink()  # it may hold a secret, and outlive a killed sweep
    returned = run_packed(packed)
    part = folder / f"{RESULT}.part"
    part.write_bytes(cloudpickle.dumps(returned))
    part.rename(folder / RESULT)


def _end_with_parent() -> None:
    """Interrupt the job when the process that launched the sweep is gone."""
    while os.read(sys.stdin.fileno(), 1):  # os.read holds no lock that could block our own end
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
