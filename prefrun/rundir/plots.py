"""Learning curves: one picture for the loss and one per group of logged metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from prefrun.rundir.display import UNITS, metric_words
from prefrun.rundir.figure import BLUE, GREEN, ORANGE, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OPTIMIZER = ("learning_rate", "grad_norm")
HOUSEKEEPING = ("step", "epoch", "total_flos")
PAIRS = {"chosen": BLUE, "rejected": ORANGE}
"""Metrics that differ only in this last word share a panel."""
LABEL_CHARACTERS = 28
MARKED_POINTS = 30
"""Curves with at most so many points show each of them."""

Curve = list[tuple[int, float]]


def write_plots(lines: Sequence[Mapping[str, Any]], folder: Path) -> list[Path]:
    """Draw the LINES of metrics.jsonl into FOLDER and return the pictures, loss first.

    Raises PrefrunError where a picture cannot be written.
    """
    return [
        _draw(group, panels, folder / f"{group}.png")
        for group, panels in _groups(_curves(lines)).items()
    ]


def _curves(lines: Sequence[Mapping[str, Any]]) -> dict[str, Curve]:
    curves: dict[str, Curve] = {}
    for line in lines:
        for name, value in line.items():
            if name not in HOUSEKEEPING and isinstance(value, int | float):
                curves.setdefault(name, []).append((int(line["step"]), float(value)))
    return curves


def _groups(curves: Mapping[str, Curve]) -> dict[str, dict[str, dict[str, Curve]]]:
    """Sort the curves into {group: {panel: {line: curve}}}; the group names the picture's file."""
    groups: dict[str, dict[str, dict[str, Curve]]] = {"loss": {}}
    for name, curve in curves.items():
        stem, _, last = name.rpartition("/")
        panel = stem if stem and last in PAIRS else name
        groups.setdefault(_group_of(name), {}).setdefault(panel, {})[last] = curve
    optimizer = groups.pop("optimizer", {})  # shown last: it matters least
    groups["optimizer"] = optimizer
    return {group: panels for group, panels in groups.items() if panels}


def _group_of(name: str) -> str:
    if name == "loss":
        return "loss"
    if name in OPTIMIZER:
        return "optimizer"
    return name.partition("/")[0] if "/" in name else "training"


def _draw(group: str, panels: Mapping[str, Mapping[str, Curve]], path: Path) -> Path:
    width, height = (5.5, 3.2) if len(panels) == 1 else (3.8, 2.7)
    with picture(path, len(panels), width, height) as (_, axes):
        for axis, (panel, lines) in zip(axes, panels.items(), strict=True):
            for last, curve in lines.items():
                _draw_curve(axis, curve, _colour(group, last), last)
            axis.set_xlabel("optimizer step")
            unit = [f"({UNITS[panel]})"] if panel in UNITS else []
            axis.set_ylabel("\n".join([*wrap(metric_words(panel), LABEL_CHARACTERS), *unit]))
            if len(lines) > 1:
                axis.legend()
    return path


def _colour(group: str, last: str) -> str:
    return PAIRS.get(last, GREEN if group == "optimizer" else BLUE)


def _draw_curve(axis: Axes, curve: Curve, colour: str, label: str) -> None:
    steps, values = zip(*curve, strict=True)
    marker = "o" if len(curve) <= MARKED_POINTS else ""
    axis.plot(steps, values, color=colour, marker=marker, markersize=3.5, label=label)
