"""The words of a comparison's cells and legend, the same in every writer."""

from __future__ import annotations

from prefrun.comparison.compare import Cell, Comparison, Row
from prefrun.comparison.pairing import PROMPTS, SEEDS
from prefrun.comparison.statistics import RESAMPLES, PairedTest
from prefrun.rundir.display import (
    MISSING,
    format_change,
    format_interval,
    format_mean,
    format_number,
)

BEFORE_LABEL = "(before training)"
ARROWS = {"max": " ↑", "min": " ↓"}
"""Where the better end is."""
VALIDATION_HALF, HELD_OUT_HALF = "on the validation half", "on the other half"


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


def main_test(cell: Cell) -> PairedTest | None:
    """Return the test over seeds, where there is one, else that over prompts."""
    return cell.tests.get(SEEDS) or cell.tests.get(PROMPTS)


def p_number(p: float) -> str:
    """Return a p-value with three decimals, or '< 0.001'."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def p_text(comparison: Comparison, test: PairedTest) -> str:
    """Return 'p = 0.031', with what was paired where that is not the same in the whole table."""
    number = p_number(test.p_holm)
    p = f"p {number}" if number.startswith("<") else f"p = {number}"
    return p if len(_pairings(comparison)) == 1 else f"{p} ({test.n} {test.unit})"


def range_text(test: PairedTest) -> str:
    """Return the interval of a difference, 'LOW to HIGH', both with their sign."""
    return f"{format_change(0.0, test.low)} to {format_change(0.0, test.high)}"


def effect_text(test: PairedTest) -> str:
    """Return the effect size with two decimals, or a dash where the differences do not spread."""
    return MISSING if test.effect is None else f"{test.effect:.2f}"


def chosen_mark(comparison: Comparison, row: Row, metric: str) -> str:
    """Return ' †' where a validation half of the prompts chooses ROW by METRIC, else nothing."""
    found = comparison.selected.get(metric)
    return " †" if found and found.label == row.label else ""


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
    only = [row.label for row in comparison.rows if not any(run.trained for run in row.runs)]
    if only:
        lines.append(f"Measured, not trained: {'; '.join(only)}.")
    if comparison.selected:
        lines.append("† is what a validation half of the held-out prompts would choose.")
    pairings = sorted(_pairings(comparison))
    if pairings:
        over = " or ".join(f"{n} {unit}" for unit, n in pairings)
        lines.append(
            f"p: two-sided paired permutation test against {comparison.baseline}, paired over "
            f"{over}, corrected by Holm's method for the configurations tested in a column."
        )
    return lines


def details(comparison: Comparison) -> list[str]:
    """Return the sentences that explain the tables of tests, choices and costs."""
    lines = []
    if _pairings(comparison):
        lines.append(
            "Intervals of differences come from a paired bootstrap, p from flipping the signs of "
            f"the pairs' differences, each of at most {RESAMPLES} resamples, drawn from a fixed "
            "seed. The effect is Cohen's d of paired values. A prompt counts with its mean over "
            "the seeds that both configurations have."
        )
    if comparison.selected:
        lines.append(
            "A configuration is chosen on the held-out prompts at even places (validation) and "
            "reported on those at odd places, so that the choice does not flatter the value."
        )
    if any(row.costs for row in comparison.rows):
        lines.append(
            "Costs are means over runs, of the last try of a resumed one. On the Pareto front: no "
            "other configuration is better in the metric without more seconds."
        )
    return lines


def _pairings(comparison: Comparison) -> set[tuple[str, int]]:
    """Return what was paired, and how many, in the tests that the table of values shows."""
    cells = [cell for row in comparison.rows for cell in row.cells.values()]
    return {(test.unit, test.n) for cell in cells if (test := main_test(cell))}
