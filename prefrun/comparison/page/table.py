"""What the page's table and frontier hold. Lists instead of objects: a page may have 1,000 rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefrun.comparison.compare import Cell, Comparison, Row
from prefrun.comparison.costs import COSTS
from prefrun.comparison.page.compact import rounded
from prefrun.comparison.statistics import PairedTest
from prefrun.comparison.wording import details, legend, main_test
from prefrun.rundir.display import UNITS, metric_words

NOTHING = 1e-12
"""A smaller difference, or effect, is a rounding error."""


def table_payload(comparison: Comparison, folder: Path) -> dict[str, Any]:
    """Return the table of COMPARISON; paths of runs are relative to FOLDER, where they are in it.

    `metrics`: [name, words, unit, direction]; `costs`: [name, words]; `rows`: see `_row`;
    `before`: one value per metric; `selected`: [metric, row, validation, test], by number.
    """
    labels = [row.label for row in comparison.rows]
    costs = [name for name in COSTS if any(name in row.costs for row in comparison.rows)]
    metrics = comparison.metrics
    return {
        "metrics": [
            [name, metric_words(name), UNITS.get(name, ""), comparison.directions[name]]
            for name in metrics
        ],
        "costs": [[name, COSTS[name]] for name in costs],
        "rows": [_row(row, comparison, costs, folder) for row in comparison.rows],
        "before": [rounded(comparison.before.get(name)) for name in metrics],
        "baseline": labels.index(comparison.baseline) if labels else None,
        "selected": [
            [
                metrics.index(name),
                labels.index(chosen.label),
                rounded(chosen.validation),
                rounded(chosen.test),
            ]
            for name, chosen in comparison.selected.items()
        ],
        "warnings": list(comparison.warnings),
        "unfinished": [
            [*_place(run.path, folder), run.unfinished] for run in comparison.unfinished
        ],
        "notes": [*legend(comparison, "Bold"), *details(comparison)],
    }


def _row(row: Row, comparison: Comparison, costs: list[str], folder: Path) -> list[Any]:
    """Return [label, cells, costs, metrics in whose Pareto set it is, runs].

    A run is [seed, text of its folder, link or None, value per metric].
    """
    metrics = comparison.metrics
    return [
        row.label,
        [_cell(row.cells.get(name)) for name in metrics],
        [rounded(row.costs.get(name)) for name in costs],
        [metrics.index(name) for name in row.pareto],
        [
            [
                run.seed,
                *_place(run.path, folder),
                [rounded(run.after.get(name)) for name in metrics],
            ]
            for run in row.runs
        ],
    ]


def _cell(cell: Cell | None) -> list[Any] | None:
    """Return [mean, error, n, best, tests, low, high], shortened by what is empty at its end.

    The first test is that which the other tables show.
    """
    if cell is None:
        return None
    main = main_test(cell)
    tests = [_test(test) for test in sorted(cell.tests.values(), key=lambda test: test is not main)]
    interval = [rounded(end) for end in cell.interval or ()]
    values = [rounded(cell.mean), rounded(cell.error), cell.n, int(cell.best), tests, *interval]
    while values[-1] in (None, 0, []):
        values.pop()
    return values


def _test(test: PairedTest) -> list[Any]:
    numbers = (test.difference, test.low, test.high, test.p, test.p_holm, test.effect)
    return [
        test.unit,
        test.n,
        *(0 if number and abs(number) < NOTHING else rounded(number) for number in numbers),
    ]


def _place(path: Path, folder: Path) -> tuple[str, str | None]:
    """Return what to call the folder at PATH, and the link to it where it lies in FOLDER."""
    inside, root = path.resolve(), folder.resolve()
    if not inside.is_relative_to(root):
        return str(path), None
    relative = inside.relative_to(root).as_posix()
    return relative, f"./{relative}/"
