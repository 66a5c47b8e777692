"""The sections of a comparison: regret of the adapter, and the front over trained policies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from prefrun.comparison.configurations import group_runs
from prefrun.comparison.runs import RunResult, load_runs
from prefrun.comparison.statistics import standard_error
from prefrun_orchestrator.evaluator import PREFIX
from prefrun_orchestrator.pareto import hypervolume, on_front
from prefrun_orchestrator.pictures import Point, draw_front
from prefrun_orchestrator.report import markdown
from prefrun_orchestrator.results import RESULT, Result, read_result
from prefrun_orchestrator.selection import STATIC, UNIFORM

CLAIM = 0.7
"""The adapter's regret is to be at most this part of a fixed weighting's."""
REGRET = "regret/"


def comparison_section(directories: Sequence[Path], folder: Path) -> str | None:
    """Return the sections on the runs DIRECTORIES, seeds joined; None if there is nothing."""
    ours = [path for path in directories if (path / RESULT).exists()]
    if not ours:
        return None
    groups = group_runs([run for run in load_runs(ours) if run.unfinished is None])
    results = {path.resolve(): read_result(path / RESULT) for path in ours}
    parts = [_regrets(groups), _policies(groups, results, folder)]
    return "\n\n".join(part for part in parts if part) or None


def _regrets(groups: Mapping[str, Sequence[RunResult]]) -> str | None:
    """Regret of the adapter's choices and of fixed weights', means over seeds."""
    names = ["adapter", UNIFORM, STATIC]
    rows = []
    for label, runs in groups.items():
        values = {
            name: [run.after[REGRET + name] for run in runs if REGRET + name in run.after]
            for name in names
        }
        if not all(len(numbers) == len(runs) for numbers in values.values()):
            continue
        triples = list(zip(*values.values(), strict=True))
        met = sum(min(others) > 0 and own <= CLAIM * min(others) for own, *others in triples)
        cells = [mean_error(values[name]) for name in names]
        rows.append([label, *cells, f"{met} of {len(runs)}"])
    if not rows:
        return None
    heads = ["configuration", *(f"regret, {name}" for name in names), "claim met"]
    return "\n".join(
        [
            "## Regret of weights",
            "",
            *markdown(heads, rows),
            "Regret of the chosen answers of held-out prompts, means ± standard errors over runs. "
            f"Claim, counted by run: at most {CLAIM} times that of uniform and of the best static "
            "weights, which must have some.",
        ]
    )


def _policies(
    groups: Mapping[str, Sequence[RunResult]], results: Mapping[Path, Result], folder: Path
) -> str | None:
    """Mean rewards by objective of the trained policies' answers."""
    found: dict[str, list[RunResult]] = {}
    for label, runs in groups.items():
        result = results[runs[0].path.resolve()]
        if all(PREFIX + name in run.after for run in runs for name in result.objectives):
            found[label] = list(runs)
    if not found:
        return None
    first = results[next(iter(found.values()))[0].path.resolve()]
    same = {
        label: runs
        for label, runs in found.items()
        if results[runs[0].path.resolve()].objectives == first.objectives
    }
    columns = {
        label: [[run.after[PREFIX + name] for run in runs] for name in first.objectives]
        for label, runs in same.items()
    }
    means = [[fmean(values) for values in column] for column in columns.values()]
    flags = on_front(means)
    own = [results[runs[0].path.resolve()].own == "adapter" for runs in same.values()]
    points = [
        Point(
            f"{label} (adapter)" if adaptive else label,
            row,
            adaptive,
            flag,
            [standard_error(values) or 0.0 for values in column],
        )
        for (label, column), row, adaptive, flag in zip(
            columns.items(), means, own, flags, strict=True
        )
    ]
    picture = "comparison-orchestrator-front.png"
    draw_front(folder / picture, first.objectives, points)
    rows = [
        [label, *(mean_error(values) for values in column), "yes" if flag else "no"]
        for (label, column), flag in zip(columns.items(), flags, strict=True)
    ]
    heads = ["configuration", *first.objectives, "on the front"]
    return "\n".join(
        [
            "## Pareto front of policies",
            "",
            f"![Mean rewards of sampled answers]({picture})",
            "",
            *markdown(heads, rows),
            f"Hypervolume, as a part of the box of the training answers' rewards: "
            f"{_volumes(means, own, first)}.",
        ]
    )


def _volumes(means: Sequence[Sequence[float]], own: Sequence[bool], box: Result) -> str:
    """Hypervolume of the policies with fixed weights, with adapters, and of all, as text."""
    parts = {
        "fixed": [row for row, adaptive in zip(means, own, strict=True) if not adaptive],
        "adapter": [row for row, adaptive in zip(means, own, strict=True) if adaptive],
        "all": list(means),
    }
    volumes = {name: hypervolume(rows, box.low, box.high) for name, rows in parts.items() if rows}
    return ", ".join(f"{name} {value:.3f}" for name, value in volumes.items())


def mean_error(values: Sequence[float]) -> str:
    """Return the mean ± its standard error over runs."""
    error = standard_error(values)
    return f"{fmean(values):.3f}" + ("" if error is None else f" ± {error:.3f}")
