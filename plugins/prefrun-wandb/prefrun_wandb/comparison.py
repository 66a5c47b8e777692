"""A sweep's comparison as a W&B run of its own: the table, and every mean as a summary metric."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import wandb

from prefrun.comparison.costs import COSTS
from prefrun.comparison.wording import main_test
from prefrun.console import console
from prefrun.rundir.configuration import read_config
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.files import read_json
from prefrun_wandb.client import kept_id, open_run, usual_mode, whereabouts
from prefrun_wandb.config import Mode

if TYPE_CHECKING:
    from prefrun.comparison.compare import Cell, Comparison

HIDDEN = ".wandb"
"""Folder of the client's files: its config.yaml must not make it look like a run of the sweep."""


def send_comparison(comparison: Comparison, directories: Sequence[Path], folder: Path) -> None:
    """Write COMPARISON to W&B where one of the runs in DIRECTORIES was tracked there.

    Project and mode are those of the first such run. A comparison written again keeps its id, in
    FOLDER. Raises PrefrunError where W&B refuses.
    """
    tracked = next(filter(None, map(_tracked, directories)), None)
    if tracked is None:
        return
    settings, group = tracked
    mode = Mode[settings["mode"]] if settings.get("mode") else usual_mode()
    if mode is Mode.disabled:
        return
    name = folder.resolve().name
    place = folder / HIDDEN
    place.mkdir(exist_ok=True)
    run = open_run(
        mode,
        place,
        project=settings["project"],
        group=group or name,
        job_type="comparison",
        name=name,
        id=kept_id(folder),
    )
    with run:
        run.log({"comparison": to_table(comparison)})
        run.summary.update(_means(comparison))
        console.print(f"  wandb   {whereabouts(mode, run, place)}")


def _tracked(path: Path) -> tuple[dict[str, Any], str | None] | None:
    """Return tracker settings and group of the run at PATH; None where it is not on W&B."""
    directory = RunDirectory(path)
    manifest = read_json(directory.manifest)
    if manifest.get("components", {}).get("tracker") != "wandb":
        return None
    return read_config(directory.config)["tracker"], manifest.get("group")


def to_table(comparison: Comparison) -> wandb.Table:
    """Return a row per configuration; a metric's columns are METRIC, METRIC_se, _n, _p and _p_holm.

    The p-values are of the test over seeds, where there are enough, else of that over prompts.
    """
    fields = ("", "_se", "_n", "_p", "_p_holm")
    costs = [name for name in COSTS if any(name in row.costs for row in comparison.rows)]
    table = wandb.Table(
        ["configuration", "seeds"]
        + [metric + field for metric in comparison.metrics for field in fields]
        + costs
    )
    for row in comparison.rows:
        values = [
            value for metric in comparison.metrics for value in _values(row.cells.get(metric))
        ]
        table.add_data(row.label, len(row.runs), *values, *map(row.costs.get, costs))
    return table


def _values(cell: Cell | None) -> tuple[float | None, ...]:
    if cell is None:
        return (None,) * 5
    test = main_test(cell)
    tested = (test.p, test.p_holm) if test else (None, None)
    return (cell.mean, cell.error, cell.n, *tested)


def _means(comparison: Comparison) -> dict[str, float]:
    return {
        f"{row.label}/{metric}": cell.mean
        for row in comparison.rows
        for metric, cell in row.cells.items()
    }
