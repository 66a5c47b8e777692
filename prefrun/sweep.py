"""A sweep: its folder, its jobs, one after another or side by side, and its end."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, ClassVar

from filelock import FileLock
from hydra.experimental.callback import Callback

from prefrun.console import console
from prefrun.errors import ConfigError
from prefrun.escaping import visible
from prefrun.jobs.failures import COMMAND_ID, FAILED_JOBS, failures
from prefrun.jobs.index import INDEX, Index, read_index, write_index
from prefrun.jobs.joblib_processes import stop_jobs
from prefrun.plan import to_object
from prefrun.plugins import print_foreign_plugins
from prefrun.rundir.lock import LOCK_FILE
from prefrun.rundir.masking import mask_arguments

if TYPE_CHECKING:
    from omegaconf import DictConfig

NAME = "PREFRUN_SWEEP_NAME"
"""Environment variable of every job: the sweep's folder where the user names none."""
CHANGES_NO_JOB = (
    "hydra/launcher=",
    "hydra.launcher.",
    "hydra.sweeper.n_jobs=",
    "hydra.sweeper.n_trials=",
    "sweep.",
    "trust_code=",
    "tracker",
    "cache.",
)
COMPARISON = "comparison.md"
BASIC_SWEEPER = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"


def is_sweep(arguments: Sequence[str]) -> bool:
    """Whether the command line ARGUMENTS ask for a sweep."""
    return bool({"-m", "--multirun", "hydra.mode=MULTIRUN"} & set(arguments))


def sweep_words(arguments: Sequence[str]) -> list[str]:
    """Return the words that name the sweep of ARGUMENTS and this command to all of its jobs.

    The name depends on what is run only, so that the same command finds its folder again.
    """
    chosen = sorted(word for word in arguments if not word.startswith(CHANGES_NO_JOB))
    name = "sweep-" + hashlib.sha256("\0".join(chosen).encode()).hexdigest()[:8]
    values = {NAME: name, COMMAND_ID: token_hex(8)}
    return [f"+hydra.job.env_set.{key}={value}" for key, value in values.items()]


@contextmanager
def without_hydras_file() -> Iterator[None]:
    """While it lasts, Hydra writes no multirun.yaml: it would hold the secrets among the words."""
    from hydra._internal.core_plugins import basic_sweeper
    from omegaconf import OmegaConf

    class Unsaved(OmegaConf):
        @staticmethod
        def save(*words: Any, **named: Any) -> None:
            """Write nothing: sweep.json and each job's config.yaml say it all."""

    module: Any = basic_sweeper
    module.OmegaConf = Unsaved
    try:
        yield
    finally:
        module.OmegaConf = OmegaConf


class Sweep(Callback):
    """The sweep this process launched. Hydra makes it, as config.yaml says, before any job."""

    current: ClassVar[Sweep | None] = None

    def on_multirun_start(self, config: DictConfig, **rest: Any) -> None:
        """Learn the folder, and write down which jobs are to come.

        Ends the process where a key of `sweep` is wrong: Hydra swallows Exceptions here.
        """
        try:
            to_object(config.sweep, "sweep")
        except ConfigError as error:
            print(f"prefrun: {visible(str(error))}", file=sys.stderr)
            raise SystemExit(error.exit_code) from error
        Sweep.current = self
        print_foreign_plugins()
        self.folder = Path(config.hydra.sweep.dir)
        self.command = str(config.hydra.job.env_set[COMMAND_ID])
        os.environ[COMMAND_ID] = self.command  # a launcher may speak for a job that died
        self.is_new = not self.folder.exists()
        with suppress(OSError):  # the folder is a file: Hydra is about to say so
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / LOCK_FILE):
                index = read_index(self.folder)
                write_index(self.folder, Index(planned_jobs(config), index.entries))

    def end(self) -> int:
        """Compare the jobs and return the exit code: 2 where all failures are of bad input."""
        runs = list(self.folder.glob("*/status.json"))
        table = self.folder / COMPARISON
        if runs and is_newer(table, runs):
            print(f"nothing new: the comparison is {table}")
        elif runs:
            from prefrun.commands.report import report

            report([str(self.folder)])
        elif self.is_new:
            self._leave_nothing()
        codes = [failure["exit_code"] for failure in failures(self.folder, self.command)]
        if not codes:
            return 0
        print(
            f"prefrun: {len(codes)} job(s) failed; see {self.folder / FAILED_JOBS}", file=sys.stderr
        )
        return 2 if set(codes) == {2} else 1

    def _leave_nothing(self) -> None:
        """Remove the folder of a command that was refused before its first job."""
        ours = {LOCK_FILE, INDEX}
        with suppress(OSError):
            if {path.name for path in self.folder.iterdir()} <= ours:
                for name in ours:
                    (self.folder / name).unlink(missing_ok=True)
                self.folder.rmdir()


def pass_on(number: int) -> None:
    """Let jobs of the current sweep that run in joblib's processes end as at signal NUMBER."""
    if Sweep.current:
        stop_jobs(Sweep.current.folder, number)


def end_early() -> None:
    """Say at a signal how the current sweep resumes. It gets no comparison, as though complete."""
    if Sweep.current:
        folder, Sweep.current = Sweep.current.folder, None
        console.print(f"interrupted. The same command resumes the sweep in {folder}", markup=False)


def is_newer(file: Path, others: Sequence[Path]) -> bool:
    """Whether FILE is there and was written after all OTHERS."""
    return file.exists() and file.stat().st_mtime_ns > max(p.stat().st_mtime_ns for p in others)


def planned_jobs(config: DictConfig) -> list[list[str]] | None:
    """Return the words of each job of CONFIG, Hydra's own; None for a search, which finds them."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser

    if config.hydra.sweeper._target_ != BASIC_SWEEPER:
        return None
    params = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]
    words = [*params, *config.hydra.overrides.task]
    overrides = OverridesParser.create().parse_overrides(words)
    return [mask_arguments(job) for job in BasicSweeper.split_arguments(overrides, None)[0]]
