"""Runs side by side: a row per configuration, a column per metric."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isclose
from statistics import fmean

from prefrun.comparison.configurations import group_runs
from prefrun.comparison.runs import RunResult
from prefrun.comparison.statistics import PairedTest, paired_test, standard_error


@dataclass(frozen=True, slots=True)
class Cell:
    """One configuration's value of one metric after training."""

    mean: float
    """Over the seeds."""
    error: float | None
    """Standard error of the mean over seeds; None for one seed."""
    n: int
    """Seeds with this metric."""
    interval: tuple[float, float] | None
    """95 % confidence interval over prompts; only where n is 1."""
    before: float | None
    """Mean over the seeds before training."""
    best: bool
    """Best of its column; ties are all best. Never where the metric has no direction."""
    test: PairedTest | None
    """Against the first row; None in the first row and where nothing can be paired."""


@dataclass(frozen=True, slots=True)
class Row:
    """One configuration."""

    label: str
    runs: tuple[RunResult, ...]
    """One per seed."""
    cells: Mapping[str, Cell]
    """By metric; metrics this configuration lacks are left out."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the writers show."""

    rows: tuple[Row, ...]
    metrics: tuple[str, ...]
    directions: Mapping[str, str]
    """max, min or none by metric."""
    before: Mapping[str, float]
    """Mean over all runs before training; empty where they start from different models or data."""
    unfinished: tuple[RunResult, ...]
    warnings: tuple[str, ...]


def compare(runs: Sequence[RunResult]) -> Comparison:
    """Compare the finished RUNS; rows and columns are in order of first appearance."""
    finished = [run for run in runs if run.unfinished is None]
    members, warnings = _one_run_per_seed(group_runs(finished))
    used = [run for group in members.values() for run in group]
    metrics = tuple(dict.fromkeys(name for run in used for name in run.after))
    directions = {
        name: next((run.directions[name] for run in used if name in run.directions), "none")
        for name in metrics
    }
    best = {name: _best(name, directions[name], members) for name in metrics}
    first = next(iter(members.values()), [])
    rows = []
    for label, group in members.items():
        against = None if group is first else first
        cells = {
            name: _cell(name, group, against, best[name])
            for name in metrics
            if any(name in run.after for run in group)
        }
        rows.append(Row(label, tuple(group), cells))
    return Comparison(
        tuple(rows),
        metrics,
        directions,
        _before(used, metrics),
        tuple(run for run in runs if run.unfinished is not None),
        (*_data_warning(used), *warnings),
    )


def _one_run_per_seed(
    groups: Mapping[str, Sequence[RunResult]],
) -> tuple[dict[str, list[RunResult]], list[str]]:
    """Keep the last run of each seed: counting one twice would make the error look too small."""
    members, warnings = {}, []
    for label, runs in groups.items():
        by_seed: dict[int, RunResult] = {}
        for run in runs:
            if run.seed in by_seed:
                warnings.append(
                    f"{label} has seed {run.seed} twice; {run.path} is used, "
                    f"{by_seed[run.seed].path} is not"
                )
            by_seed[run.seed] = run
        members[label] = list(by_seed.values())
    return members, warnings


def _best(metric: str, direction: str, members: Mapping[str, Sequence[RunResult]]) -> float | None:
    means = [fmean(values) for runs in members.values() if (values := _values(metric, runs))]
    if direction not in ("max", "min") or len(means) < 2:
        return None
    return max(means) if direction == "max" else min(means)


def _cell(
    metric: str,
    runs: Sequence[RunResult],
    first: Sequence[RunResult] | None,
    best: float | None,
) -> Cell:
    measured = [run for run in runs if metric in run.after]
    values = _values(metric, measured)
    mean = fmean(values)
    before = [run.before[metric] for run in measured if metric in run.before]
    return Cell(
        mean=mean,
        error=standard_error(values),
        n=len(values),
        interval=measured[0].intervals.get(metric) if len(measured) == 1 else None,
        before=fmean(before) if before else None,
        best=best is not None and isclose(mean, best, rel_tol=1e-9, abs_tol=1e-12),
        test=paired_test(first, runs, metric) if first is not None else None,
    )


def _values(metric: str, runs: Sequence[RunResult]) -> list[float]:
    return [run.after[metric] for run in runs if metric in run.after]


def _before(runs: Sequence[RunResult], metrics: Sequence[str]) -> dict[str, float]:
    starts = {(run.choices.get("model"), str(run.config.get("model"))) for run in runs}
    if len(starts) > 1 or not _share_data(runs):
        return {}
    values = {name: [run.before[name] for run in runs if name in run.before] for name in metrics}
    return {name: fmean(known) for name, known in values.items() if known}


def _share_data(runs: Sequence[RunResult]) -> bool:
    """Whether all have the same data, or data that each seed draws for all of its runs alike."""
    if len({run.fingerprint for run in runs}) < 2:
        return True
    by_seed = {(run.seed, run.fingerprint) for run in runs}
    described = {(run.choices.get("data"), str(run.config.get("data"))) for run in runs}
    return len(by_seed) == len({run.seed for run in runs}) and len(described) == 1


def _data_warning(runs: Sequence[RunResult]) -> list[str]:
    if _share_data(runs):
        return []
    counts = Counter(run.fingerprint for run in runs)
    parts = [f"{(mark or 'unknown')[:12]} in {count} runs" for mark, count in counts.items()]
    return [
        f"the runs used different data (fingerprint {', '.join(parts)}): "
        "their numbers cannot be compared"
    ]
