"""Sections of a run's report and of a comparison: win rate and gain by direction."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from prefrun.comparison.statistics import standard_error
from prefrun.rundir.configuration import read_config
from prefrun.rundir.directory import RunDirectory
from prefrun_rps.pictures import Curve, Point, draw
from prefrun_rps.results import EVALUATION, SIMULATION, DirectionResult, Interval, read_results

TITLES = {
    EVALUATION: "RPS against best-of-n by direction",
    SIMULATION: "RPS against best-of-n by direction, simulated",
}
SHOWN_KEYS = ("scheme", "k", "theta_max")
"""Keys of the algorithm that tell configurations of a comparison apart in the picture."""

Run = list[DirectionResult]


def run_section(directory: Path, folder: Path) -> str | None:
    """Return the section on DIRECTORY's results, with a picture in FOLDER/plots; None if none."""
    parts = []
    for place, title in TITLES.items():
        if (directory / place).exists():
            results = read_results(directory / place)
            picture = f"plots/{_stem(place)}.png"
            shown = _draw(folder, picture, [Curve("", _points(results))])
            note = "Means with 95 % bootstrap intervals."
            parts.append("\n".join([f"## {title}", "", *shown, *_run_table(results), "", note]))
    return "\n\n".join(parts) or None


def comparison_section(directories: Sequence[Path], folder: Path) -> str | None:
    """Return the section on the runs DIRECTORIES, seeds of a configuration joined; None if none."""
    parts = []
    for place, title in TITLES.items():
        groups: dict[str, list[Run]] = {}
        for directory in directories:
            if (directory / place).exists():
                groups.setdefault(_label(directory), []).append(read_results(directory / place))
        if groups:
            curves = [Curve(label, _joined(runs)) for label, runs in groups.items()]
            shown = _draw(folder, f"comparison-{_stem(place)}.png", curves)
            counts = ", ".join(f"{label}: {len(runs)}" for label, runs in groups.items())
            note = f"Means ± standard errors over runs ({counts})."
            table = _comparison_table(groups)
            parts.append("\n".join([f"## {title}", "", *shown, *table, "", note]))
    return "\n\n".join(parts) or None


def _stem(place: Path) -> str:
    return "rps-simulation" if place == SIMULATION else "rps"


def _draw(folder: Path, picture: str, curves: Sequence[Curve]) -> list[str]:
    """Draw where directions are angles, and return the line that shows the picture."""
    if not any(curve.points for curve in curves):
        return []
    draw(folder / picture, curves)
    return [f"![Win rate and gain by direction]({picture})", ""]


def _points(results: Run) -> list[Point]:
    """The directions that are angles."""
    return [
        Point(result.degrees, result.win_rate, result.gain, result.distance)
        for result in results
        if result.degrees is not None
    ]


def _joined(runs: Sequence[Run]) -> list[Point]:
    """Means over RUNS with one standard error on each side."""
    points = []
    for group in map(_points, _by_direction(runs).values()):
        if group:
            rate = _spread([point.win_rate.value for point in group])
            gain = _spread([point.gain.value for point in group])
            points.append(Point(group[0].degrees, rate, gain, group[0].distance))
    return points


def _by_direction(runs: Sequence[Run]) -> dict[str, list[DirectionResult]]:
    found: dict[str, list[DirectionResult]] = {}
    for result in (result for run in runs for result in run):
        found.setdefault(result.name, []).append(result)
    return found


def _spread(values: Sequence[float]) -> Interval:
    error = standard_error(values) or 0.0
    return Interval(fmean(values), fmean(values) - error, fmean(values) + error)


def _label(directory: Path) -> str:
    algo: Any = read_config(RunDirectory(directory).config)["algo"]
    label = ", ".join(f"{key}={algo[key]}" for key in SHOWN_KEYS)
    method = algo.get("method", "rps")
    return label if method == "rps" else f"method={method}, {label}"


def _run_table(results: Run) -> list[str]:
    simulated = any(result.dominates is not None for result in results)
    more = ["dominates", "sup F_rps - F_base", "single answers dominate"] if simulated else []
    heads = ["direction", "from training", "n", "win rate", "gain", "RPS", "best-of-n", *more]
    rows = [
        [
            result.name,
            "" if result.distance is None else f"{result.distance:.0f}°",
            str(result.count),
            _interval(result.win_rate, "{:.2f}"),
            _interval(result.gain, "{:+.3f}"),
            f"{result.score:.3f}",
            f"{result.baseline:.3f}",
            *(_dominance(result) if simulated else []),
        ]
        for result in results
    ]
    return _markdown(heads, rows)


def _dominance(result: DirectionResult) -> list[str]:
    words = {True: "yes", False: "no", None: ""}
    return [words[result.dominates], f"{result.violation:.3f}", words[result.single_dominates]]


def _interval(value: Interval, form: str) -> str:
    return f"{form} [{form}, {form}]".format(value.value, value.low, value.high)


def _comparison_table(groups: dict[str, list[Run]]) -> list[str]:
    rows = []
    for label, runs in groups.items():
        for name, results in _by_direction(runs).items():
            rate = _mean_error([result.win_rate.value for result in results], "{:.3f}")
            gain = _mean_error([result.gain.value for result in results], "{:+.3f}")
            rows.append([label, name, rate, gain])
    return _markdown(["configuration", "direction", "win rate", "gain"], rows)


def _mean_error(values: Sequence[float], form: str) -> str:
    error = standard_error(values)
    return form.format(fmean(values)) + (f" ± {error:.3f}" if error is not None else "")


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [heads, ["---"] * len(heads), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]
