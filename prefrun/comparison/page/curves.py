"""The learning curves on the page: mean and spread over the seeds at each logged step."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from prefrun.comparison.compare import Row
from prefrun.comparison.page.compact import Texts, rounded, thinned
from prefrun.comparison.runs import RunResult
from prefrun.comparison.statistics import standard_error
from prefrun.errors import PrefrunError
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.display import UNITS, metric_words
from prefrun.rundir.metrics import read_metrics

MOST_POINTS, FEWEST_POINTS = 200, 12
"""Of one curve."""
BUDGET = 800_000
"""Numbers in all curves; more configurations or metrics get fewer points each."""

Series = dict[str, dict[int, float]]
"""Value by step, by metric."""


def curves_payload(rows: Sequence[Row]) -> dict[str, Any]:
    """Return what each of ROWS logged while it trained.

    `metrics`: [name, words, unit]; `steps`: distinct lists of steps; `rows`: per row and metric
    None or [number in `steps`, means, and for several seeds: lows, highs, standard errors];
    `points`: the most points of a curve.
    """
    logged = [[_series(run) for run in row.runs] for row in rows]
    metrics = list(dict.fromkeys(name for runs in logged for run in runs for name in run))
    numbers = sum(len(metrics) * (4 if len(row.runs) > 1 else 1) for row in rows)
    points = min(MOST_POINTS, max(FEWEST_POINTS, BUDGET // max(1, numbers)))
    steps = Texts()
    curves = [[_curve(name, runs, points, steps) for name in metrics] for runs in logged]
    return {
        "metrics": [[name, metric_words(name), UNITS.get(name, "")] for name in metrics],
        "steps": [json.loads(text) for text in steps.all()],
        "rows": curves,
        "points": points,
    }


def _series(run: RunResult) -> Series:
    """Return what RUN logged; nothing where the file is damaged: its results still stand."""
    series: Series = {}
    try:
        lines = read_metrics(RunDirectory(run.path).metrics)
    except PrefrunError:
        return series
    for line in lines:
        for name, value in line.items():
            if name != "step" and isinstance(value, int | float):
                series.setdefault(name, {})[line["step"]] = float(value)
    return series


def _curve(
    name: str, runs: Sequence[Series], points: int, all_steps: Texts
) -> list[int | list[float | None]] | None:
    known: list[Mapping[int, float]] = [run[name] for run in runs if name in run]
    if not known:
        return None
    every = sorted(set().union(*known))
    steps = [every[place] for place in thinned(len(every), points)]
    values = [[run[step] for run in known if step in run] for step in steps]
    curve: list[int | list[float | None]] = [
        all_steps.number(json.dumps(steps)),
        [rounded(fmean(found)) for found in values],
    ]
    if len(known) > 1:
        curve += [
            [rounded(min(found)) for found in values],
            [rounded(max(found)) for found in values],
            [rounded(standard_error(found) or 0.0) for found in values],
        ]
    return curve
