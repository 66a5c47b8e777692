"""The before -> after table of one run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prefrun.escaping import visible
from prefrun.rundir.display import format_change, format_interval, format_number

if TYPE_CHECKING:
    from rich.table import Table

HEADINGS = ("metric", "before", "after", "change", "95 % interval of after", "better is")
ONCE = ("metric", "value", "95 % interval", "better is")
"""The headings if nothing was measured before."""
ARROWS = {"higher": "↑", "lower": "↓", "": ""}
BETTER = {"max": "higher", "min": "lower", "none": ""}


def headings_of(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the headings of SUMMARY's rows: HEADINGS, or ONCE."""
    known = [values.get("before") for values in summary["metrics"].values()]
    return HEADINGS if any(value is not None for value in known) else ONCE


def result_rows(summary: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return one row of text per metric of SUMMARY, under `headings_of(summary)`."""
    directions, headings = summary.get("directions", {}), headings_of(summary)
    rows = []
    for name, values in summary["metrics"].items():
        after = format_number(values.get("after"))
        cells = {
            "metric": name,
            "before": format_number(values.get("before")),
            "after": after,
            "value": after,
            "change": format_change(values.get("before"), values.get("after")),
            "better is": BETTER.get(directions.get(name, "none"), ""),
        }
        interval = format_interval(values.get("low"), values.get("high"))
        rows.append(tuple(cells.get(heading, interval) for heading in headings))
    return rows


def extent(summary: Mapping[str, Any]) -> str:
    """Return how far SUMMARY's run trained: 'N steps', or that it did not."""
    return f"{summary['steps']} steps" if summary.get("trained", True) else "measured, not trained"


def result_table(summary: Mapping[str, Any]) -> Table:
    """Return SUMMARY's metrics as a table for the terminal, narrow enough for 80 columns."""
    from rich.table import Table

    rows = result_rows(summary)
    note = "" if rows else ", nothing was measured"
    headings = headings_of(summary)
    shown = [place for place, name in enumerate(headings) if name not in ("change", "better is")]
    table = Table(title=f"{summary['name']}: {extent(summary)}{note}")
    table.add_column("metric", no_wrap=True)
    for place in shown[1:]:
        table.add_column(headings[place].removesuffix(" of after"), justify="right")
    for name, *cells, better in rows:
        table.add_row(f"{name} {ARROWS[better]}", *(cells[place - 1] for place in shown[1:]))
    return table


def markdown_table(headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """Return the lines of a Markdown table whose first column is text and whose others are aligned
    right."""
    rule = ["---", *(["---:"] * (len(headings) - 1))]
    return ["| " + " | ".join(map(_escape, row)) + " |" for row in (headings, tuple(rule), *rows)]


def _escape(cell: str) -> str:
    return visible(cell).replace("|", "\\|").replace("\n", " ")
