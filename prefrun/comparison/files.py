"""The comparison as comparison.md, comparison.csv and comparison.png."""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path

from prefrun.comparison.compare import Cell, Comparison, Row
from prefrun.comparison.wording import (
    BEFORE_LABEL,
    difference_text,
    heading,
    interval_text,
    legend,
    value_text,
)
from prefrun.rundir.display import MISSING, format_number
from prefrun.rundir.files import write_atomically
from prefrun.rundir.sections import plugin_sections
from prefrun.rundir.table import markdown_table

NAME = "comparison"


def write_comparison(comparison: Comparison, folder: Path) -> list[Path]:
    """Write the files into FOLDER and return their paths; no picture without a finished run.

    Raises PrefrunError where one cannot be written.
    """
    from prefrun.comparison.plot import write_plot

    picture, table, text = (folder / f"{NAME}.{kind}" for kind in ("png", "csv", "md"))
    paths = [text, table]
    if comparison.metrics:
        write_plot(comparison, picture)
        paths.append(picture)
    write_atomically(table, to_csv(comparison))
    write_atomically(text, to_markdown(comparison, folder))
    return paths


def to_csv(comparison: Comparison) -> str:
    """Return one line per configuration; per metric METRIC is the mean after training, and
    METRIC_se, _n, _before, _best, _p, _test_unit and _test_n belong to it."""
    fields = ("", "_se", "_n", "_before", "_best", "_p", "_test_unit", "_test_n")
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = [metric + field for metric in comparison.metrics for field in fields]
    writer.writerow(["configuration", "seeds", *columns])
    for row in comparison.rows:
        seeds = " ".join(str(run.seed) for run in row.runs)
        values = [value for metric in comparison.metrics for value in _csv_values(row, metric)]
        writer.writerow([row.label, seeds, *values])
    return text.getvalue()


def _csv_values(row: Row, metric: str) -> tuple[object, ...]:
    """Return the values of one metric; csv writes None as an empty field."""
    cell = row.cells.get(metric)
    if cell is None:
        return (None, None, 0, None, None, None, None, None)
    test = cell.test
    tested = (test.p, test.unit, test.n) if test else (None, None, None)
    return (cell.mean, cell.error, cell.n, cell.before, int(cell.best), *tested)


def to_markdown(comparison: Comparison, folder: Path) -> str:
    """Return the comparison as Markdown, with paths of runs relative to FOLDER."""
    sections = [["# Comparison"], [f"> **Warning:** {line}" for line in comparison.warnings]]
    if comparison.rows:
        sections += [
            _values(comparison),
            legend(comparison, "**Bold**"),
            _tests(comparison),
            [f"![comparison of the metrics]({NAME}.png)"] if comparison.metrics else [],
            *_sections_of_plugins(comparison, folder),
            _runs(comparison, folder),
        ]
    else:
        sections.append(["No run has finished."])
    if comparison.unfinished:
        lines = [
            f"- `{_relative(run.path, folder)}`: {run.unfinished}" for run in comparison.unfinished
        ]
        sections.append(["## Not finished", "", *lines])
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def _values(comparison: Comparison) -> list[str]:
    headings = ("configuration", "seeds", *(heading(comparison, m) for m in comparison.metrics))
    rows = []
    for row in comparison.rows:
        cells = []
        for metric in comparison.metrics:
            cell = row.cells.get(metric)
            cells.append(_value(row, cell) if cell else MISSING)
        rows.append((row.label, str(len(row.runs)), *cells))
    if comparison.before:
        before = (format_number(comparison.before.get(metric)) for metric in comparison.metrics)
        rows.append((BEFORE_LABEL, "", *before))
    return markdown_table(headings, rows)


def _value(row: Row, cell: Cell) -> str:
    text = value_text(row, cell)
    interval = f" ({interval_text(cell)})" if cell.interval else ""
    return (f"**{text}**" if cell.best else text) + interval


def _tests(comparison: Comparison) -> list[str]:
    if not any(cell.test for row in comparison.rows for cell in row.cells.values()):
        return []
    rows = [
        (
            row.label,
            *(
                difference_text(comparison, cell.test)
                if (cell := row.cells.get(metric)) and cell.test
                else MISSING
                for metric in comparison.metrics
            ),
        )
        for row in comparison.rows[1:]
    ]
    title = f"## Difference from the first row ({comparison.rows[0].label})"
    return [title, "", *markdown_table(("configuration", *comparison.metrics), rows)]


def _sections_of_plugins(comparison: Comparison, folder: Path) -> list[list[str]]:
    paths = [run.path for row in comparison.rows for run in row.runs]
    return plugin_sections("prefrun_comparison_section", directories=paths, folder=folder)


def _runs(comparison: Comparison, folder: Path) -> list[str]:
    lines = [
        f"- {row.label}: "
        + ", ".join(f"seed {run.seed} in `{_relative(run.path, folder)}`" for run in row.runs)
        for row in comparison.rows
    ]
    return ["## Runs", "", *lines]


def _relative(path: Path, folder: Path) -> Path:
    inside = path.resolve().is_relative_to(folder.resolve())
    return path.resolve().relative_to(folder.resolve()) if inside else path
