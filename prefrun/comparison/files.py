"""The comparison as comparison.md, .csv, .tex and .png, and as report.html."""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path

from prefrun.comparison.compare import Comparison, Row
from prefrun.comparison.costs import COSTS
from prefrun.comparison.latex import to_latex
from prefrun.comparison.page.write import write_page
from prefrun.comparison.pairing import PROMPTS, SEEDS
from prefrun.comparison.tables import TextTable, all_tables
from prefrun.comparison.wording import details, legend
from prefrun.escaping import visible
from prefrun.rundir.files import write_atomically
from prefrun.rundir.sections import plugin_sections
from prefrun.rundir.table import markdown_table

NAME = "comparison"
TEST_FIELDS = ("difference", "low", "high", "p", "p_holm", "effect", "n")


def write_comparison(comparison: Comparison, folder: Path) -> list[Path]:
    """Write the files into FOLDER and return their paths; no picture without a finished run.

    Raises PrefrunError where one cannot be written.
    """
    from prefrun.comparison.plot import write_plot

    kinds = ("png", "csv", "tex", "md")
    picture, table, paper, text = (folder / f"{NAME}.{kind}" for kind in kinds)
    paths = [text, table, paper]
    if comparison.metrics:
        write_plot(comparison, picture)
        paths.append(picture)
    write_atomically(table, visible(to_csv(comparison)))
    write_atomically(paper, to_latex(comparison))
    write_atomically(text, visible(to_markdown(comparison, folder)))
    paths.append(write_page(comparison, folder))
    return paths


def to_csv(comparison: Comparison) -> str:
    """Return one line per configuration.

    Per metric, METRIC is the mean after training; METRIC_se, _n, _before and _best belong to it,
    and per unit of a test against the baseline, `seeds` and `prompts`, METRIC_UNIT_difference,
    _low, _high, _p, _p_holm, _effect and _n. Costs are called cost_NAME, METRIC_pareto says whether
    the line is on the front, METRIC_chosen whether validation chooses it.
    """
    fields = ["", "_se", "_n", "_before", "_best", "_pareto", "_chosen"]
    fields += [f"_{unit}_{name}" for unit in (SEEDS, PROMPTS) for name in TEST_FIELDS]
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = [metric + field for metric in comparison.metrics for field in fields]
    writer.writerow(["configuration", "seeds", *columns, *(f"cost_{name}" for name in COSTS)])
    for row in comparison.rows:
        seeds = " ".join(str(run.seed) for run in row.runs)
        values = [
            value for metric in comparison.metrics for value in _csv_values(comparison, row, metric)
        ]
        writer.writerow([row.label, seeds, *values, *(row.costs.get(name) for name in COSTS)])
    return text.getvalue()


def _csv_values(comparison: Comparison, row: Row, metric: str) -> list[object]:
    """Return the values of one metric; csv writes None as an empty field."""
    cell = row.cells.get(metric)
    tests = cell.tests if cell else {}
    tested = [
        getattr(tests[unit], name) if unit in tests else None
        for unit in (SEEDS, PROMPTS)
        for name in TEST_FIELDS
    ]
    if cell is None:
        return [None, None, 0, None, None, None, None, *tested]
    choice = comparison.selected.get(metric)
    chosen = int(choice.label == row.label) if choice else None
    front = int(metric in row.pareto) if row.costs else None
    return [cell.mean, cell.error, cell.n, cell.before, int(cell.best), front, chosen, *tested]


def to_markdown(comparison: Comparison, folder: Path) -> str:
    """Return the comparison as Markdown, with paths of runs relative to FOLDER."""
    sections = [["# Comparison"], [f"> **Warning:** {line}" for line in comparison.warnings]]
    if comparison.rows:
        values, *others = all_tables(comparison)
        sections += [
            _table(values),
            legend(comparison, "**Bold**"),
            *map(_table, others),
            details(comparison),
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


def _table(table: TextTable) -> list[str]:
    """Return a table's lines of Markdown, with its title as a heading."""
    rows = [
        tuple((f"**{e.text}**" if e.strong else e.text) + e.note for e in row) for row in table.rows
    ]
    title = [f"## {table.title}", ""] if table.title else []
    return [*title, *markdown_table(table.headings, rows)]


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
