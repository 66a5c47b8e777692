"""The tracker: one W&B run per job, with the job's whole configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import wandb

from prefrun.console import console
from prefrun.errors import PrefrunError
from prefrun.rundir.files import write_atomically
from prefrun.rundir.masking import mask_values
from prefrun.rundir.run import Run
from prefrun.tracker import Tracker
from prefrun_wandb.config import Mode, WandbConfig
from prefrun_wandb.key import has_key

ID_FILE = "wandb_id"


class WandbTracker(Tracker):
    """Implements `Tracker` with the wandb client. Called on the main process only."""

    def __init__(self, config: WandbConfig) -> None:
        super().__init__(config)
        self._run: Any = None

    def start(self, run: Run) -> None:
        """Open the W&B run, under the id it had before where RUN is resumed.

        Raises PrefrunError where W&B refuses, such as for a wrong key.
        """
        mode = self.config.mode or _usual_mode()
        if mode is Mode.disabled:
            return
        try:
            self._run = wandb.init(
                project=self.config.project,
                group=run.group,
                job_type=run.algo,
                name=run.name,
                id=_kept_id(run.output_dir / ID_FILE),
                resume="allow",
                mode=mode.value,
                dir=run.output_dir,
                config=mask_values(run.config),
                reinit="finish_previous",  # else a sweep's next job lands in a failed one's run
                settings=wandb.Settings(
                    silent=True,
                    console="off",
                    x_disable_stats=True,
                    x_disable_machine_info=True,  # it includes the command line
                ),
            )
        except wandb.Error as error:
            raise PrefrunError(
                f"W&B did not accept the run: {error}\n"
                "  remedy: run `wandb login`, or set tracker.mode=offline"
            ) from error
        console.print(f"  wandb   {_whereabouts(mode, self._run, run.output_dir)}")

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Add a row to the history."""
        if self._run is not None:
            self._run.log(dict(metrics), step=step)

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Put the result into the W&B summary: before/NAME, after/NAME, steps and status."""
        if self._run is not None:
            self._run.summary.update(_flat(summary))

    def close(self, failed: bool) -> None:
        """End the W&B run, marked as failed where FAILED."""
        if self._run is not None:
            self._run.finish(exit_code=int(failed))
            self._run = None


def _usual_mode() -> Mode:
    """What `wandb offline`, WANDB_MODE or the lack of a key say."""
    settings = wandb.setup().settings
    if settings.mode in ("offline", "disabled"):
        return Mode[settings.mode]
    return Mode.online if settings.api_key or has_key(settings.base_url) else Mode.offline


def _kept_id(file: Path) -> str:
    """Return the id in FILE; where there is none, a new one, which is kept there."""
    if not file.exists():
        write_atomically(file, f"{uuid4().hex[:12]}\n")
    return file.read_text(encoding="utf-8").strip()


def _whereabouts(mode: Mode, run: Any, folder: Path) -> str:
    if mode is Mode.online:
        return f"online: {run.url}"
    return f"offline: send it later with `wandb sync {folder}/wandb/offline-run-*`"


def _flat(summary: Mapping[str, Any]) -> dict[str, Any]:
    values = {key: summary[key] for key in ("run_id", "status", "steps") if key in summary}
    for name, numbers in summary.get("metrics", {}).items():
        for moment in ("before", "after"):
            if numbers.get(moment) is not None:
                values[f"{moment}/{name}"] = numbers[moment]
    return values
