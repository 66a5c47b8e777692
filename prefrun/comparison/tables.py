"""The tables of a comparison, the same in Markdown and in LaTeX."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from prefrun.comparison.compare import Comparison, Row
from prefrun.comparison.costs import COSTS
from prefrun.comparison.pairing import PROMPTS, SEEDS
from prefrun.comparison.wording import (
    BEFORE_LABEL,
    HELD_OUT_HALF,
    VALIDATION_HALF,
    chosen_mark,
    effect_text,
    heading,
    interval_text,
    p_number,
    range_text,
    value_text,
)
from prefrun.rundir.display import MISSING, format_change, format_number


@dataclass(frozen=True, slots=True)
class Entry:
    """One field of a table."""

    text: str
    strong: bool = False
    """Best of its column."""
    note: str = ""
    """Stands behind it, never strong."""


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table with a title; '' for the first one, which needs none."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]


def all_tables(comparison: Comparison) -> list[TextTable]:
    """Return the tables of values, of tests, of choices and of costs; those that have rows."""
    tables = [_values(comparison), _tests(comparison), _choices(comparison), _costs(comparison)]
    return [table for table in tables if table.rows]


def _values(comparison: Comparison) -> TextTable:
    headings = ("configuration", "seeds", *(heading(comparison, m) for m in comparison.metrics))
    rows = []
    for row in comparison.rows:
        values = [_value(comparison, row, metric) for metric in comparison.metrics]
        rows.append((Entry(row.label), Entry(str(len(row.runs))), *values))
    if comparison.before:
        before = [format_number(comparison.before.get(metric)) for metric in comparison.metrics]
        rows.append((Entry(BEFORE_LABEL), Entry(""), *map(Entry, before)))
    return TextTable("", headings, tuple(rows))


def _value(comparison: Comparison, row: Row, metric: str) -> Entry:
    cell = row.cells.get(metric)
    if cell is None:
        return Entry(MISSING)
    interval = f" ({interval_text(cell)})" if cell.interval else ""
    return Entry(value_text(row, cell), cell.best, interval + chosen_mark(comparison, row, metric))


def _tests(comparison: Comparison) -> TextTable:
    headings = ("configuration", "metric", "paired over", "difference", "95 % interval")
    rows = [
        (
            row.label,
            metric,
            f"{test.n} {unit}",
            format_change(0.0, test.difference),
            range_text(test),
            p_number(test.p),
            p_number(test.p_holm),
            effect_text(test),
        )
        for row in comparison.rows
        for metric, cell in row.cells.items()
        for unit in (SEEDS, PROMPTS)
        if (test := cell.tests.get(unit))
    ]
    return TextTable(
        f"Differences from {comparison.baseline}",
        (*headings, "p", "p (Holm)", "effect"),
        tuple(tuple(map(Entry, row)) for row in rows),
    )


def _choices(comparison: Comparison) -> TextTable:
    rows = tuple(
        (
            Entry(heading(comparison, metric)),
            Entry(found.label),
            Entry(format_number(found.validation)),
            Entry(format_number(found.test)),
        )
        for metric, found in comparison.selected.items()
    )
    headings = ("metric", "chosen", VALIDATION_HALF, HELD_OUT_HALF)
    return TextTable("Chosen by validation", headings, rows)


def _costs(comparison: Comparison) -> TextTable:
    known = [name for name in COSTS if any(name in row.costs for row in comparison.rows)]
    headings = ("configuration", *(COSTS[name] for name in known), "on the Pareto front of")
    rows = tuple(_cost_rows(comparison, known)) if known else ()
    return TextTable("Cost of a run", headings, rows)


def _cost_rows(comparison: Comparison, known: list[str]) -> Iterator[tuple[Entry, ...]]:
    for row in comparison.rows:
        costs = [_amount(row.costs.get(name)) for name in known]
        yield tuple(map(Entry, (row.label, *costs, ", ".join(row.pareto))))


def _amount(cost: float | None) -> str:
    return f"{cost:.0f}" if cost is not None and cost >= 1000 else format_number(cost)
