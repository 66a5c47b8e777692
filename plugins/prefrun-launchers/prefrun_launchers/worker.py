"""The process of one job: `python -m prefrun_launchers.worker FOLDER`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from threading import Thread

JOB, RESULT = "job.pickle", "result.pickle"
"""In FOLDER: the packed job, and what it returned."""
INTERRUPTED = 130


def main(folder: Path) -> int:
    """Run the job in FOLDER and leave its result there. Returns the exit code."""
    try:
        Thread(target=_end_with_parent, daemon=True).start()
        import cloudpickle

        from prefrun_launchers.sweep_job import run_packed

        packed = (folder / JOB).read_bytes()
        (folder / JOB).unlink()  # it may hold a secret, and outlive a killed sweep
        returned = run_packed(packed)
        part = folder / f"{RESULT}.part"
        part.write_bytes(cloudpickle.dumps(returned))
        part.rename(folder / RESULT)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _end_with_parent() -> None:
    """Interrupt the job when the process that launched the sweep is gone."""
    while os.read(sys.stdin.fileno(), 1):  # os.read holds no lock that could block our own end
        pass
    os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
