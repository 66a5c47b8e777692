"""The tracker: one W&B run per job, with the job's whole configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prefrun.console import console
from prefrun.rundir.masking import mask_values
from prefrun.rundir.run import Run
from prefrun.tracker import Tracker
from prefrun_wandb.client import kept_id, open_run, usual_mode, whereabouts
from prefrun_wandb.config import Mode, WandbConfig


class WandbTracker(Tracker):
    """Implements `Tracker` with the wandb client. Called on the main process only."""

    def __init__(self, config: WandbConfig) -> None:
        super().__init__(config)
        self._run: Any = None

    def start(self, run: Run) -> None:
        """Open the W&B run, under the id it had before where RUN is resumed.

        Raises PrefrunError where W&B refuses, such as for a wrong key.
        """
        mode = self.config.mode or usual_mode()
        if mode is Mode.disabled:
            return
        self._run = open_run(
            mode,
            run.output_dir,
            project=self.config.project,
            group=run.group,
            job_type=run.algo,
            name=run.name,
            id=kept_id(run.output_dir),
            config=mask_values(run.config),
        )
        console.print(f"  wandb   {whereabouts(mode, self._run, run.output_dir)}")

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


def _flat(summary: Mapping[str, Any]) -> dict[str, Any]:
    values = {key: summary[key] for key in ("run_id", "status", "steps") if key in summary}
    for name, numbers in summary.get("metrics", {}).items():
        for moment in ("before", "after"):
            if numbers.get(moment) is not None:
                values[f"{moment}/{name}"] = numbers[moment]
    return values
