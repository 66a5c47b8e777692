"""Runs side by side: a row per configuration, a column per metric."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isclose
from statistics import fmean

from prefrun.comparison.configurations import find_label, group_runs, same_settings
from prefrun.comparison.costs import SECONDS, mean_costs, pareto
from prefrun.comparison.origins import code_warnings, row_warnings, split_warnings
from prefrun.comparison.runs import RunResult
from prefrun.comparison.selection import Selection, select
from prefrun.comparison.statistics import PairedTest, standard_error, test_against


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
    tests: Mapping[str, PairedTest]
    """Against the baseline, by unit, 'seeds' and 'prompts'; those that can be paired."""


@dataclass(frozen=True, slots=True)
class Row:
    """One configuration."""

    label: str
    runs: tuple[RunResult, ...]
    """One per seed."""
    cells: Mapping[str, Cell]
    """By metric; metrics this configuration lacks are left out."""
    costs: Mapping[str, float]
    """Mean over the runs of what each of them counted; see COSTS."""
    pareto: tuple[str, ...]
    """Metrics in which no other row is better without more seconds, or as good in fewer."""


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
    baseline: str
    """Label of the row that the others are tested against; '' without rows."""
    selected: Mapping[str, Selection]
    """By metric that has a better end and values by prompt: the row a validation half chooses."""


def compare(runs: Sequence[RunResult], baseline: str | None = None) -> Comparison:
    """Compare the finished RUNS; rows and columns are in order of first appearance.

    BASELINE: words of one row's label; None = the first row. Raises ConfigError where they name no
    row, or several.
    """
    finished = [run for run in runs if run.unfinished is None]
    members, warnings = _one_run_per_seed(group_runs(finished))
    used = [run for group in members.values() for run in group]
    metrics = tuple(dict.fromkeys(name for run in used for name in run.after))
    directions = {
        name: next((run.directions[name] for run in used if name in run.directions), "none")
        for name in metrics
    }
    best = {name: _best(name, directions[name], members) for name in metrics}
    first = find_label(list(members), baseline) if members else ""
    tests = test_against(members.get(first, []), members, metrics)
    costs = {label: mean_costs(group) for label, group in members.items()}
    fronts = _fronts(members, directions, costs)
    rows = tuple(
        Row(
            label,
            tuple(group),
            {
                name: _cell(name, group, tests.get(label, {}).get(name, {}), best[name])
                for name in metrics
                if any(name in run.after for run in group)
            },
            costs[label],
            tuple(name for name, front in fronts.items() if label in front),
        )
        for label, group in members.items()
    )
    return Comparison(
        rows,
        metrics,
        directions,
        _before(used, metrics),
        tuple(run for run in runs if run.unfinished is not None),
        (*_warnings(members), *warnings),
        first,
        _selected(members, directions),
    )


def _fronts(
    members: Mapping[str, Sequence[RunResult]],
    directions: Mapping[str, str],
    costs: Mapping[str, Mapping[str, float]],
) -> dict[str, set[str]]:
    """By directed metric, the labels on the front of it against seconds."""
    seconds = {label: cost[SECONDS] for label, cost in costs.items() if SECONDS in cost}
    fronts = {}
    for metric, direction in directions.items():
        if direction in ("max", "min"):
            values = {label: _values(metric, runs) for label, runs in members.items()}
            means = {label: fmean(known) for label, known in values.items() if known}
            fronts[metric] = pareto(means, seconds, direction)
    return fronts


def _selected(
    members: Mapping[str, Sequence[RunResult]], directions: Mapping[str, str]
) -> dict[str, Selection]:
    """By metric, what a validation half of the prompts chooses, where all rows share them."""
    if not _share_data([run for group in members.values() for run in group]):
        return {}
    found = {name: select(members, name, direction) for name, direction in directions.items()}
    return {name: selection for name, selection in found.items() if selection}


def _one_run_per_seed(
    groups: Mapping[str, Sequence[RunResult]],
) -> tuple[dict[str, list[RunResult]], list[str]]:
    """Keep the last run of each seed: counting one twice would make the error look too small."""
    members, warnings = {}, []
    for label, runs in groups.items():
        by_seed: dict[int, RunResult] = {}
        for run in runs:
            if run.seed in by_seed:
                other = by_seed[run.seed]
                why = " (made by other code)" if run.origin.code != other.origin.code else ""
                warnings.append(
                    f"{label} has seed {run.seed} twice; {run.path} is used, "
                    f"{other.path}{why} is not"
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
    tests: Mapping[str, PairedTest],
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
        tests=tests,
    )


def _values(metric: str, runs: Sequence[RunResult]) -> list[float]:
    return [run.after[metric] for run in runs if metric in run.after]


def _before(runs: Sequence[RunResult], metrics: Sequence[str]) -> dict[str, float]:
    starts = {
        (run.choices.get("model"), str(run.config.get("model")), str(_start_contents(run)))
        for run in runs
    }
    if len(starts) > 1 or not _share_data(runs):
        return {}
    values = {name: [run.before[name] for run in runs if name in run.before] for name in metrics}
    return {name: fmean(known) for name, known in values.items() if known}


def _start_contents(run: RunResult) -> dict[str, str]:
    """The digests of the start model's files."""
    contents = run.origin.contents
    return {key: contents[key] for key in contents if key.partition(".")[0] == "model"}


def _share_data(runs: Sequence[RunResult]) -> bool:
    """Whether all have the same data, or data that each seed draws for all of its runs alike."""
    if len({run.fingerprint for run in runs}) < 2:
        return True
    by_seed = {(run.seed, run.fingerprint) for run in runs}
    described = {(run.choices.get("data"), str(run.config.get("data"))) for run in runs}
    drawn = all(run.origin.data_by_seed for run in runs)
    return drawn and len(by_seed) == len({run.seed for run in runs}) and len(described) == 1


def _warnings(members: Mapping[str, Sequence[RunResult]]) -> list[str]:
    """What is not the same in runs that stand side by side."""
    used = [run for group in members.values() for run in group]
    rows = [line for label, runs in members.items() for line in row_warnings(label, runs)]
    return [*_data_warning(used), *split_warnings(same_settings(used)), *code_warnings(used), *rows]


def _data_warning(runs: Sequence[RunResult]) -> list[str]:
    if _share_data(runs):
        return []
    counts = Counter(run.fingerprint for run in runs)
    parts = [f"{(mark or 'unknown')[:12]} in {count} runs" for mark, count in counts.items()]
    return [
        f"the runs used different data (fingerprint {', '.join(parts)}): "
        "their numbers cannot be compared"
    ]
