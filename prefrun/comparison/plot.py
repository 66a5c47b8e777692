"""The comparison as a picture: a panel per metric, a dot and its interval per configuration."""

from __future__ import annotations

from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

from prefrun.comparison.compare import Cell, Comparison
from prefrun.comparison.wording import ARROWS
from prefrun.rundir.display import UNITS, metric_words
from prefrun.rundir.figure import BLUE, GREY, ORANGE, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABEL_CHARACTERS = 30
"""Longer labels are folded."""
TITLE_CHARACTERS = 32
CHARACTER_WIDTH = 0.08
PANEL_WIDTH = 3.1
"""Inches; the labels at the left come on top."""


def write_plot(comparison: Comparison, path: Path) -> None:
    """Draw COMPARISON to PATH. Raises PrefrunError where it cannot be written."""
    labels = ["\n".join(wrap(row.label, LABEL_CHARACTERS)) for row in comparison.rows]
    lines = sum(label.count("\n") + 1 for label in labels)
    longest = max(len(line) for label in labels for line in label.split("\n"))
    size = (len(comparison.metrics), PANEL_WIDTH, 1.2 + 0.22 * lines)
    with picture(path, *size, share_y=True) as (figure, axes):
        figure.set_figwidth(figure.get_figwidth() + CHARACTER_WIDTH * longest)
        for axis, metric in zip(axes, comparison.metrics, strict=True):
            _draw_metric(axis, comparison, metric)
        axes[0].set_yticks(range(len(labels)), labels)
        axes[0].set_ylim(len(labels) - 0.5, -0.5)  # the first row on top
        _add_legend(figure, comparison)


def _draw_metric(axis: Axes, comparison: Comparison, metric: str) -> None:
    if metric in comparison.before:
        axis.axvline(comparison.before[metric], color=GREY, linestyle=(0, (4, 3)), linewidth=1.2)
    for position, row in enumerate(comparison.rows):
        cell = row.cells.get(metric)
        if cell is None:
            continue
        axis.errorbar(
            cell.mean,
            position,
            xerr=_interval(cell),
            color=ORANGE if cell.best else BLUE,
            marker="D" if cell.best else "o",
            markersize=6,
            elinewidth=1.6,
            capsize=3,
        )
    arrow = ARROWS.get(comparison.directions[metric], "")
    axis.set_title("\n".join(wrap(metric_words(metric) + arrow, TITLE_CHARACTERS)))
    axis.set_xlabel(UNITS.get(metric, ""))
    axis.grid(visible=False, axis="y")
    axis.tick_params(axis="y", length=0)
    axis.locator_params(axis="x", nbins=5)


def _interval(cell: Cell) -> list[list[float]] | None:
    """Return how far the bar reaches below and above the dot."""
    if cell.error is not None:
        return [[cell.error], [cell.error]]
    if cell.interval is None:
        return None
    low, high = cell.interval
    return [[max(0.0, cell.mean - low)], [max(0.0, high - cell.mean)]]


def _add_legend(figure: Figure, comparison: Comparison) -> None:
    from matplotlib.lines import Line2D

    cells = [cell for row in comparison.rows for cell in row.cells.values()]
    entries = [Line2D([], [], color=BLUE, marker="o", label=_interval_words(cells))]
    if any(cell.best for cell in cells):
        entries.append(Line2D([], [], color=ORANGE, marker="D", linestyle="", label="best"))
    if comparison.before:
        dashes = (0, (4, 3))
        entries.append(Line2D([], [], color=GREY, linestyle=dashes, label="before training"))
    figure.legend(handles=entries, loc="outside upper left", ncols=len(entries), frameon=False)


def _interval_words(cells: list[Cell]) -> str:
    seeds = any(cell.error is not None for cell in cells)
    prompts = any(cell.interval is not None for cell in cells)
    if seeds:
        most = max(cell.n for cell in cells)
        words = f"mean ± standard error over {most} seeds"
        return f"{words}; one seed: 95 % interval over prompts" if prompts else words
    return "value and 95 % interval over prompts" if prompts else "value"
