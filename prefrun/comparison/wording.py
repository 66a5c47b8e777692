"""The words of a comparison's cells and legend, the same in every writer."""

from __future__ import annotations

from prefrun.comparison.compare import Cell, Comparison, Row
from prefrun.comparison.statistics import PairedTest
from prefrun.rundir.display import format_change, format_interval, format_mean, format_number

BEFORE_LABEL = "(before training)"
ARROWS = {"max": " ↑", "min": " ↓"}
"""Where the better end is."""


def heading(comparison: Comparison, metric: str) -> str:
    """Return the metric's name with an arrow towards its better end."""
    return metric + ARROWS.get(comparison.directions[metric], "")


def value_text(row: Row, cell: Cell) -> str:
    """Return 'MEAN ± ERROR', or one seed's value; with n where some of the row's seeds lack it."""
    known = format_mean(cell.mean, cell.error) if cell.error is not None else None
    text = known or format_number(cell.mean)
    return text if cell.n == len(row.runs) else f"{text}, n = {cell.n}"


def interval_text(cell: Cell) -> str:
    """Return one seed's 95 % interval, 'LOW to HIGH', or an empty string."""
    return format_interval(*cell.interval) if cell.interval else ""


def p_text(comparison: Comparison, test: PairedTest) -> str:
    """Return 'p = 0.031', with what was paired where that is not the same in the whole table."""
    p = "p < 0.001" if test.p < 0.001 else f"p = {test.p:.3f}"
    return p if len(_pairings(comparison)) == 1 else f"{p} ({test.n} {test.unit})"


def difference_text(comparison: Comparison, test: PairedTest) -> str:
    """Return the difference from the first row and its p-value."""
    return f"{format_change(0.0, test.difference)}, {p_text(comparison, test)}"


def legend(comparison: Comparison, best_mark: str) -> list[str]:
    """Return the sentences that explain the table."""
    cells = [cell for row in comparison.rows for cell in row.cells.values()]
    lines = []
    if any(cell.error is not None for cell in cells):
        lines.append("Values are mean ± standard error over seeds.")
    if any(cell.interval is not None for cell in cells):
        lines.append("With one seed, LOW to HIGH is the 95 % interval over prompts.")
    if any(cell.best for cell in cells):
        lines.append(f"{best_mark} is the best of its column (↑ higher, ↓ lower is better).")
    pairings = sorted(_pairings(comparison))
    if pairings:
        over = " or ".join(f"{n} {unit}" for unit, n in pairings)
        lines.append(
            f"p: two-sided paired t-test against the first row ({comparison.rows[0].label}), "
            f"paired over {over}, not corrected for the number of tests."
        )
    return lines


def _pairings(comparison: Comparison) -> set[tuple[str, int]]:
    """Return what was paired, and how many, in the tests of the table."""
    cells = [cell for row in comparison.rows for cell in row.cells.values()]
    return {(cell.test.unit, cell.test.n) for cell in cells if cell.test}
