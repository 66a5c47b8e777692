"""The before -> after table of one run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prefrun.escaping import visible
from prefrun.rundir.display import format_change, format_interval, format_number

if TYPE_CHECKING:
    from rich.table import Table

HEADINGS = ("metric", "before", "after", "change", "95 % interval of after", "better is")
ARROWS = {"higher": "↑", "lower": "↓", "": ""}
BETTER = {"max": "higher", "min": "lower", "none": ""}


def result_rows(summary: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return one row of text per metric of SUMMARY, under HEADINGS."""
    directions = summary.get("directions", {})
    return [
        (
            name,
            format_number(values.get("before")),
            format_number(values.get("after")),
            format_change(values.get("before"), values.get("after")),
            format_interval(values.get("low"), values.get("high")),
            BETTER.get(directions.get(name, "none"), ""),
        )
        for name, values in summary["metrics"].items()
    ]


def result_table(summary: Mapping[str, Any]) -> Table:
    """Return SUMMARY's metrics as a table for the terminal, narrow enough for 80 columns."""
    from rich.table import Table

    rows = result_rows(summary)
    note = "" if rows else ", nothing was measured"
    table = Table(title=f"{summary['name']}: {summary['steps']} steps{note}")
    table.add_column("metric", no_wrap=True)
    for heading in ("before", "after", "95 % interval"):
        table.add_column(heading, justify="right")
    for name, before, after, _, interval, better in rows:
        table.add_row(f"{name} {ARROWS[better]}", before, after, interval)
    return table


def markdown_table(headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """Return the lines of a Markdown table whose first column is text and whose others are aligned
    right."""
    rule = ["---", *(["---:"] * (len(headings) - 1))]
    return ["| " + " | ".join(map(_escape, row)) + " |" for row in (headings, tuple(rule), *rows)]


def _escape(cell: str) -> str:
    return visible(cell).replace("|", "\\|").replace("\n", " ")
