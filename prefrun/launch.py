"""Composes the configuration with Hydra and runs one job or a sweep."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf

from prefrun.arguments import ordered
from prefrun.compose import register_configs
from prefrun.config_checks import check_composed
from prefrun.config_errors import config_error, hydra_error
from prefrun.loss_file.registering import register_words
from prefrun.paths import conf_dir
from prefrun.quick_composing import quick_composing
from prefrun.records.columns import quoted_paths
from prefrun.signals import Stopped, listening, telling
from prefrun.sweep import Sweep, end_early, is_sweep, pass_on, sweep_words, without_hydras_file
from prefrun.trust import check_arguments, only_trusted_code

if TYPE_CHECKING:
    from omegaconf import DictConfig

FULL_ERROR = "HYDRA_FULL_ERROR"


def launch(arguments: Sequence[str]) -> int:
    """Run Hydra's command line and return the exit code.

    Raises PrefrunError for what the user can mend. HYDRA_FULL_ERROR=1 shows the traceback too.
    """
    check_arguments(arguments)
    argv = (sys.argv[0], *arguments)
    words = quoted_paths(ordered([_from_home(word) for word in arguments]))
    arguments = register_words(words)
    register_configs()
    before = os.environ.get(FULL_ERROR)
    wanted_traceback = before == "1"
    sys.argv[1:] = [*arguments, *(sweep_words(arguments) if is_sweep(arguments) else [])]
    job = Job(argv, wanted_traceback)
    main = hydra.main(
        version_base="1.3", config_path=str(conf_dir("prefrun")), config_name="config"
    )
    Sweep.current, code = None, 0
    os.environ[FULL_ERROR] = "1"  # else Hydra prints errors in its own way and exits with 1
    try:
        trusted = only_trusted_code(arguments)
        with quick_composing(), without_hydras_file(), trusted, telling(pass_on):
            main(job.run)()
    except SystemExit as stop:  # Hydra's own --info, --cfg and completion end this way
        if not isinstance(stop.code, int | None):
            raise
        code = stop.code or 0
    except Stopped:
        end_early()
        raise
    except Exception as error:
        if wanted_traceback:
            traceback.print_exc()
        raise hydra_error(error) from error
    finally:
        _restore(before)
        ended = Sweep.current.end() if Sweep.current else 0
    if job.error is not None:
        raise job.error
    return code or ended


def _from_home(word: str) -> str:
    """Return WORD with the home folder for '~' in output_dir, which Hydra would make a folder."""
    key, equals, value = word.partition("=")
    is_home = key == "output_dir" and value.startswith("~/")
    return key + equals + os.path.expanduser(value) if is_home else word


def _restore(before: str | None) -> None:
    """Leave no trace in the environment of what this process starts next."""
    if before is None:
        os.environ.pop(FULL_ERROR, None)
    else:
        os.environ[FULL_ERROR] = before


class Job:
    """What Hydra calls for every job. Hydra never sees a failure: it would add words of its own."""

    def __init__(self, argv: tuple[str, ...], with_traceback: bool) -> None:
        self.argv, self.with_traceback, self.process = argv, with_traceback, os.getpid()
        self.error: Exception | None = None
        """Why the only job failed; a sweep's failures are recorded in its folder."""

    def run(self, config: DictConfig) -> float | None:
        """Read what only Hydra knows, run the job, and return what a search asks for.

        In a process that a launcher started, that one decides on what a second signal does.
        """
        with listening(repeats=os.getpid() == self.process):
            return self._run(config)

    def _run(self, config: DictConfig) -> float | None:
        settings = HydraConfig.get()
        output_dir = Path(settings.runtime.output_dir)
        words: Any = OmegaConf.to_container(settings.overrides.task)  # with ${...} as it stands
        overrides = tuple(words)
        from prefrun.job import Origin
        from prefrun.run import run

        if settings.mode == RunMode.MULTIRUN:
            from prefrun.jobs.work import work

            sweep = Path(settings.sweep.dir)
            origin = Origin(self.argv, overrides, sweep.name)
            return work(config, sweep, settings.job.num, origin, self.with_traceback)
        try:
            check_composed(config, overrides)
            run(config, output_dir, Origin(self.argv, overrides))
        except Exception as error:
            if self.with_traceback:
                traceback.print_exc()
            self.error = config_error(error)
        finally:
            remove_if_empty(output_dir)
        return None


def remove_if_empty(folder: Path) -> None:
    """Remove the folder Hydra made for a job that was refused before it began."""
    with suppress(OSError):  # not empty, or a mount point
        folder.rmdir()
