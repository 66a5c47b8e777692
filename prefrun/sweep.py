"""A sweep: where it is, which of its jobs failed, in whatever process they ran, and its end."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from hydra.experimental.callback import Callback

from prefrun.errors import PrefrunError

if TYPE_CHECKING:
    from omegaconf import DictConfig

FAILED_JOBS = "failed.jsonl"
"""In the sweep's folder: one line per failed job."""
HYDRAS_FILE = "multirun.yaml"
log = logging.getLogger(__name__)


class Sweep(Callback):
    """The sweep this process launched. Hydra makes it, as config.yaml says, before any job."""

    current: ClassVar[Sweep | None] = None

    def on_multirun_start(self, config: DictConfig, **rest: Any) -> None:
        """Learn the folder, and forget the failures of an earlier sweep in it."""
        Sweep.current = self
        self.folder = Path(config.hydra.sweep.dir)
        self.is_new = not self.folder.exists()
        with suppress(OSError):  # the folder is a file: Hydra is about to say so
            (self.folder / FAILED_JOBS).unlink(missing_ok=True)

    def end(self) -> int:
        """Compare the jobs and return the exit code: 2 where all failures are of bad input."""
        if any(self.folder.rglob("status.json")):
            from prefrun.commands.report import report

            report([str(self.folder)])
        elif self.is_new and [path.name for path in self.folder.glob("*")] == [HYDRAS_FILE]:
            (self.folder / HYDRAS_FILE).unlink()
            self.folder.rmdir()
        failed = self.folder / FAILED_JOBS
        if not failed.exists():
            return 0
        lines = failed.read_text(encoding="utf-8").splitlines()
        codes = [json.loads(line)["exit_code"] for line in lines]
        print(f"prefrun: {len(codes)} job(s) failed; see {failed}", file=sys.stderr)
        return 2 if set(codes) == {2} else 1


def record_failure(
    sweep: Path, folder: Path, number: int, overrides: Sequence[str], error: Exception
) -> None:
    """Write and print that job NUMBER of SWEEP, which was to run in FOLDER, failed with ERROR."""
    from prefrun.run import log_to
    from prefrun.rundir.directory import RunDirectory
    from prefrun.rundir.status import fail, start

    directory = RunDirectory(folder)
    if not any(folder.iterdir()):  # refused before it began, so the run itself wrote nothing
        with log_to(directory.log):
            log.error("job %d was refused", number, exc_info=error)
        start(directory)
        fail(directory, error)
    failure = {
        "job": number,
        "overrides": list(overrides),
        "exit_code": error.exit_code if isinstance(error, PrefrunError) else 1,
        "error": str(error) or type(error).__name__,
    }
    with (sweep / FAILED_JOBS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(failure) + "\n")
    kind = "" if isinstance(error, PrefrunError) else f"{type(error).__name__}: "
    print(f"prefrun: job {number} in {folder} failed: {kind}{error}", file=sys.stderr)
