"""Composes the configuration with Hydra and runs one job or a sweep."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from prefrun.compose import register_configs
from prefrun.config_errors import config_error
from prefrun.errors import PrefrunError
from prefrun.paths import conf_dir

if TYPE_CHECKING:
    from omegaconf import DictConfig

FULL_ERROR = "HYDRA_FULL_ERROR"


def launch(arguments: Sequence[str]) -> int:
    """Run Hydra's command line and return the exit code.

    Raises PrefrunError for what the user can mend. HYDRA_FULL_ERROR=1 shows the traceback too.
    """
    register_configs()
    wanted_traceback = os.environ.get(FULL_ERROR) == "1"
    os.environ[FULL_ERROR] = "1"  # else Hydra prints errors in its own way and exits with 1
    sys.argv[1:] = arguments
    sweep = SweepFolder()
    main = hydra.main(
        version_base="1.3", config_path=str(conf_dir("prefrun")), config_name="config"
    )
    try:
        main(sweep.job)()
    except PrefrunError:
        if wanted_traceback:
            traceback.print_exc()
        raise
    except SystemExit as stop:  # Hydra's own --info, --cfg and completion end this way
        return stop.code if isinstance(stop.code, int) else 0
    except Exception as error:
        if wanted_traceback:
            traceback.print_exc()
        raise config_error(error) from error
    finally:
        sweep.compare()
    return 0


class SweepFolder:
    """Remembers the folder of the sweep its jobs belong to, and compares them at its end."""

    def __init__(self) -> None:
        self.folder: Path | None = None

    def job(self, config: DictConfig) -> dict[str, Any]:
        """Run one job of Hydra: read what only Hydra knows, then call `run`."""
        from prefrun.run import Origin, run

        settings = HydraConfig.get()
        output_dir = Path(settings.runtime.output_dir)
        group = None
        if settings.mode == RunMode.MULTIRUN:
            self.folder = output_dir.parent
            group = self.folder.name
        try:
            origin = Origin(tuple(sys.argv), tuple(settings.overrides.task), group)
            return run(config, output_dir, origin)
        finally:
            remove_if_empty(output_dir)

    def compare(self) -> None:
        """Write and print the comparison of a sweep's jobs; nothing after a single run."""
        if self.folder is not None and any(self.folder.glob("*/status.json")):
            from prefrun.commands.report import report

            report([str(self.folder)])


def remove_if_empty(folder: Path) -> None:
    """Remove the folder Hydra made for a job that was refused before it began."""
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
