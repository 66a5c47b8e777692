"""What comparison.md shows of scorers trained on data=shortcut_pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from safetensors import safe_open

from prefrun.comparison.configurations import group_runs
from prefrun.comparison.runs import load_run
from prefrun.comparison.statistics import standard_error
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.metrics import read_metrics

SCORER = Path("model", "scorer.safetensors")
"""In a run's folder: the weights of model=linear of prefrun-lab."""
DATA_KEY = "shortcut"
"""Key that no other data set has."""


def comparison_section(directories: Sequence[Path]) -> str | None:
    """Tabulate the shortcut's weight and the area under the gap, means over seeds.

    None where no run has trained a linear scorer on data=shortcut_pairs.
    """
    runs = [load_run(RunDirectory(directory)) for directory in directories]
    weights = {
        run.path: weight
        for run in runs
        if run.unfinished is None and (weight := _shortcut_weight(run.path, run.config)) is not None
    }
    if not weights:
        return None
    rows = ["| configuration | shortcut's weight | area under the gap |", "|---|---|---|"]
    for label, members in group_runs([run for run in runs if run.path in weights]).items():
        areas = [area for run in members if (area := _area(run.path)) is not None]
        cells = _cell([weights[run.path] for run in members]), _cell(areas)
        rows.append(f"| {label} | {' | '.join(cells)} |")
    table = "\n".join(rows)
    return (
        "## Shortcut\n\nWhat the scorer adds for the shortcut feature, and the mean over training "
        "of the margin of easy pairs less that of hard ones (logged by algo=da_dpo).\n\n" + table
    )


def _shortcut_weight(path: Path, config: Mapping[str, Any]) -> float | None:
    if DATA_KEY not in (config.get("data") or {}) or not (path / SCORER).is_file():
        return None
    with safe_open(path / SCORER, framework="pt") as tensors:
        if len(tensors.keys()) != 1:  # a hidden layer mixes the features
            return None
        return float(tensors.get_tensor("head.weight")[0, -1])


def _area(path: Path) -> float | None:
    lines = read_metrics(RunDirectory(path).metrics)
    names = "rewards/easy", "rewards/hard"
    gaps = [line[names[0]] - line[names[1]] for line in lines if all(n in line for n in names)]
    return fmean(gaps) if gaps else None


def _cell(values: Sequence[float]) -> str:
    if not values:
        return ""
    error = standard_error(values)
    return f"{fmean(values):.2f}" + ("" if error is None else f" ± {error:.2f}")
