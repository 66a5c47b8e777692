"""Pictures: points in the objectives' space, two at a time, and weights by prompt class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from prefrun.rundir.figure import BLUE, GREEN, GREY, ORANGE, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = "osD^vPX*<>"
MOST_PANELS = 6


@dataclass(frozen=True, slots=True)
class Point:
    """One weighting or policy."""

    label: str
    means: Sequence[float]
    """[K] mean rewards."""
    own: bool
    """Whether its weights depend on the prompt."""
    on_front: bool
    errors: Sequence[float] | None = None
    """[K] standard errors over runs; None for one run."""


def draw_front(path: Path, objectives: Sequence[str], points: Sequence[Point]) -> None:
    """Draw POINTS in every plane of two objectives (the first 6) to PATH.

    Filled ones are on the Pareto front of all objectives, hollow ones are not.
    """
    planes = list(combinations(range(len(objectives)), 2))[:MOST_PANELS] or [(0, 0)]
    with picture(path, len(planes), 4.2, 3.6) as (figure, axes):
        for axis, (x, y) in zip(axes, planes, strict=True):
            for number, point in enumerate(points):
                _mark(axis, point, x, y, MARKERS[number % len(MARKERS)], number)
            axis.set_xlabel(f"mean {objectives[x]}")
            axis.set_ylabel(f"mean {objectives[y]}")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)))


def _mark(axis: Axes, point: Point, x: int, y: int, marker: str, number: int) -> None:
    colour = ORANGE if point.own else [BLUE, GREEN, GREY][number % 3]
    errors = point.errors
    axis.errorbar(
        point.means[x],
        point.means[y],
        xerr=None if errors is None else errors[x],
        yerr=None if errors is None else errors[y],
        marker=marker,
        markersize=9 if point.own else 7,
        linestyle="",
        color=colour,
        markerfacecolor=colour if point.on_front else "white",
        elinewidth=1,
        label=point.label,
    )


def draw_classes(
    path: Path,
    objectives: Sequence[str],
    weights: Mapping[str, Sequence[float]],
    targets: Mapping[str, Sequence[float]],
) -> None:
    """Draw the mean weights [K] of each class as bars, and their mean targets as lines, to PATH."""
    width = 0.8 / len(objectives)
    with picture(path, 1, max(5.0, 1.5 * len(weights)), 3.4) as (figure, (axis,)):
        for number, name in enumerate(objectives):
            places = [row + (number + 0.5) * width - 0.4 for row in range(len(weights))]
            colour = COLOURS[number % len(COLOURS)]
            heights = [row[number] for row in weights.values()]
            axis.bar(places, heights, 0.92 * width, color=colour, label=name)
            expected = [targets[group][number] for group in weights]
            left, right = ([place + side * width / 2 for place in places] for side in (-1, 1))
            label = "mean target" if number == 0 else ""
            axis.hlines(expected, left, right, color="black", linewidth=2, label=label)
        axis.set_xticks(range(len(weights)), list(weights))
        axis.set_ylabel("mean weight")
        axis.set_ylim(0, 1)
        axis.grid(visible=False, axis="x")
        handles, labels = axis.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(5, len(labels)))
