"""The section of a comparison: the curves of its configurations, and quality at equal latency."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev

from prefrun.comparison.configurations import group_runs
from prefrun.comparison.runs import load_run
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.figure import BLUE, GREEN, GREY, ORANGE
from prefrun_simulpl.curve_file import read_curve
from prefrun_simulpl.curves import Line, Rows, at_latency, curve_points, draw_curves, shared_range

PICTURE = "comparison-quality-and-latency.png"
COLORS = (BLUE, ORANGE, GREEN, "#CC79A7", "#56B4E9", GREY)
MEASURES = ("BLEU", "accuracy", "monotone")
SYSTEM = "confidence"
LEVELS = 5
"""Latencies at which qualities are compared, evenly over the range all curves share."""


def comparison_section(directories: Sequence[Path], folder: Path) -> str | None:
    """Draw the confidence curves of the runs in DIRECTORIES, by configuration, into FOLDER.

    None unless two runs have a curve over thresholds.
    """
    curves = {path.resolve(): read_curve(path) for path in directories}
    runs = [load_run(RunDirectory(path)) for path, rows in curves.items() if _has_curve(rows)]
    if len(runs) < 2:
        return None
    groups: dict[str, list[Rows]] = {
        label: [curves[run.path.resolve()] for run in members]
        for label, members in group_runs(runs).items()
    }
    every = [rows for members in groups.values() for rows in members]
    measures = [name for name in MEASURES if all(name in rows[0] for rows in every)]
    panels = {
        measure: [
            Line(label, _mean_points(members, measure), COLORS[number % len(COLORS)])
            for number, (label, members) in enumerate(groups.items())
        ]
        for measure in measures
    }
    draw_curves(folder / PICTURE, panels)
    text = [
        "## Quality at equal latency",
        "",
        "Policies that write once their confidence reaches a threshold; means over seeds.",
        "",
        f"![Quality against average lagging]({PICTURE})",
    ]
    for measure in measures:
        text += _table(groups, measure)
    return "\n".join(text)


def _has_curve(rows: Rows) -> bool:
    return len(curve_points(rows, SYSTEM, "BLEU")) > 1


def _mean_points(members: Sequence[Rows], measure: str) -> tuple[tuple[float, float, str], ...]:
    """Return per threshold the means over runs; thresholds that some run lacks are left out."""
    by_text: dict[str, list[tuple[float, float]]] = {}
    for rows in members:
        for latency, value, text in curve_points(rows, SYSTEM, measure):
            by_text.setdefault(text, []).append((latency, value))
    return tuple(
        (fmean(p[0] for p in points), fmean(p[1] for p in points), text)
        for text, points in by_text.items()
        if len(points) == len(members)
    )


def _table(groups: dict[str, list[Rows]], measure: str) -> list[str]:
    """Return MEASURE by configuration at latencies that all runs reach, interpolated per run."""
    points = {
        label: [[point[:2] for point in curve_points(rows, SYSTEM, measure)] for rows in members]
        for label, members in groups.items()
    }
    reached = shared_range([curve for members in points.values() for curve in members])
    if reached is None:
        return ["", f"{measure}: the curves share no range of average lagging."]
    low, high = reached
    levels = [low + (high - low) * number / (LEVELS - 1) for number in range(LEVELS)]
    headings = " | ".join(f"AL {level:.2f}" for level in levels)
    lines = ["", f"{measure}, mean ± standard error over seeds, at equal average lagging:", ""]
    lines += [f"| configuration | {headings} |", "|---" * (LEVELS + 1) + "|"]
    for label, members in points.items():
        cells = [_cell([at_latency(curve, level) for curve in members]) for level in levels]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return lines


def _cell(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    error = f" ± {stdev(known) / len(known) ** 0.5:.3f}" if len(known) > 1 else ""
    return f"{fmean(known):.3f}{error}"
