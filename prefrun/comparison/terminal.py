"""The comparison as a table in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from prefrun.comparison.compare import Comparison, Row
from prefrun.comparison.wording import (
    BEFORE_LABEL,
    chosen_mark,
    heading,
    interval_text,
    legend,
    main_test,
    p_text,
    value_text,
)
from prefrun.escaping import visible
from prefrun.rundir.display import MISSING, format_number

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

LABEL_WIDTH, HEADING_WIDTH = 36, 18
"""Longer ones are folded."""
BORDER = 3
"""Characters a column takes beside its text."""


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print the table, as many metrics side by side as fit, then legend and unfinished runs."""
    from rich.text import Text

    for warning in comparison.warnings:
        console.print(Text(f"warning: {warning}", style="bold yellow"))
    if not comparison.rows:
        console.print("no finished run to compare")
    for metrics in _blocks(comparison, console.width):
        console.print(_table(comparison, metrics))
    for line in legend(comparison, "*"):
        console.print(Text(line))
    for run in comparison.unfinished:
        console.print(Text(f"not finished: {run.path}: {run.unfinished}"))


def _blocks(comparison: Comparison, width: int) -> Iterator[list[str]]:
    """Split the metrics into groups that fit WIDTH beside the labels."""
    labels = [len(row.label) for row in comparison.rows] + [len(BEFORE_LABEL)]
    left = min(max(labels), LABEL_WIDTH) + len("seeds") + 2 * BORDER + 1
    block: list[str] = []
    used = left
    for metric in comparison.metrics:
        cells = [_cell(comparison, row, metric).plain for row in comparison.rows]
        parts = "\n".join([_heading(comparison, metric), *cells]).split("\n")
        needed = BORDER + max(map(len, parts))
        if block and used + needed > width:
            yield block
            block, used = [], left
        block.append(metric)
        used += needed
    if block:
        yield block


def _table(comparison: Comparison, metrics: Sequence[str]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table()
    table.add_column("configuration", max_width=LABEL_WIDTH, overflow="fold")
    table.add_column("seeds", justify="right")
    for metric in metrics:
        table.add_column(_heading(comparison, metric), justify="right", no_wrap=True)
    for row in comparison.rows:
        cells = [_cell(comparison, row, metric) for metric in metrics]
        table.add_row(Text(visible(row.label)), str(len(row.runs)), *cells)
    if comparison.before:
        before = [format_number(comparison.before.get(metric)) for metric in metrics]
        table.add_row(BEFORE_LABEL, "", *before, style="dim")
    return table


def _heading(comparison: Comparison, metric: str) -> str:
    """Return the metric's name, broken at underscores: a long name must not widen its column."""
    lines: list[str] = []
    for word in heading(comparison, metric).replace("_", "_ ").split(" "):
        last = lines[-1] if lines else ""
        joined = last + word if last.endswith("_") else f"{last} {word}"
        if lines and len(joined) <= HEADING_WIDTH:
            lines[-1] = joined
        else:
            lines.append(word)
    return "\n".join(lines)


def _cell(comparison: Comparison, row: Row, metric: str) -> Text:
    from rich.text import Text

    cell = row.cells.get(metric)
    if cell is None:
        return Text(MISSING)
    text = Text(value_text(row, cell), style="bold green" if cell.best else "")
    text.append((" *" if cell.best else "") + chosen_mark(comparison, row, metric))
    test = main_test(cell)
    notes = [interval_text(cell), p_text(comparison, test) if test else ""]
    for note in filter(None, notes):
        text.append(f"\n{note}", style="not bold default")
    return text
