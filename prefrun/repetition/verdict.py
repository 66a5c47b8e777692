"""What `prefrun rerun` says of two runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from prefrun.commands.diff import Facts, difference_lines, read_facts
from prefrun.plan import COSMETIC_KEYS
from prefrun.repetition.deviation import Deviation, deviations, tolerance_of
from prefrun.repetition.numbers import LOGGED, METRIC, PER_RECORD, Series, read_numbers
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.files import read_json

SHOWN = 40
"""Rows of the table; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a run and its repetition compare."""

    tolerance: float
    """Relative; 0 = bit for bit."""
    numbers: Mapping[str, Series]
    """Of the old run, by kind."""
    tensors: int
    """In the saved models."""
    found: Sequence[Deviation]
    """What deviates by more than the tolerance."""
    differences: Sequence[str] = field(default_factory=list)
    """Lines: what the two were made from, where it is not the same."""

    @property
    def agrees(self) -> bool:
        """Whether nothing deviates."""
        return not self.found

    def lines(self) -> list[str]:
        """Return the verdict for the terminal."""
        exact = "bit for bit" if self.tolerance == 0 else f"within {self.tolerance:g}, relative"
        if self.agrees:
            word = "agrees bitwise" if self.tolerance == 0 else f"agrees {exact}"
            lines = [f"{word}: {self._counts()}"]
            return lines + (["although these differ:", *self.differences] * bool(self.differences))
        lines = [f"deviates: {len(self.found)} series are not the same {exact}, of"]
        lines += [f"  {self._counts()}", *_table(self.found)]
        if self.differences:
            return [*lines, "what differs and could explain it:", *self.differences]
        return [*lines, "nothing recorded differs; a source of nondeterminism is left"]

    def _counts(self) -> str:
        values = {kind: sum(map(len, series.values())) for kind, series in self.numbers.items()}
        weights = f"weights ({self.tensors} tensors)" if self.tensors else "no weights are saved"
        return (
            f"{values[METRIC]} metric values, {values[PER_RECORD]} values per record, "
            f"{values[LOGGED]} logged values, {weights}"
        )


def compare(old: RunDirectory, new: RunDirectory) -> Verdict:
    """Compare the numbers and the weights of two finished runs, and what they were made from.

    Raises PrefrunError, naming the file, where one is missing or damaged.
    """
    from prefrun.repetition.weights import weight_deviations

    tolerance = tolerance_of(read_json(old.manifest), read_json(new.manifest))
    numbers = read_numbers(old)
    tensors, weights = weight_deviations(old.model, new.model, tolerance)
    found = [*deviations(numbers, read_numbers(new), tolerance), *weights]
    facts = _origins(read_facts(old)), _origins(read_facts(new))
    differences = [] if facts[0] == facts[1] else difference_lines(*facts)
    return Verdict(tolerance, numbers, tensors, found, differences)


def _origins(facts: Facts) -> Facts:
    """FACTS without results and without what changes none."""
    origins = {section: dict(values) for section, values in facts.items() if section != "results"}
    origins["configuration"] = {
        key: value
        for key, value in origins["configuration"].items()
        if key.partition(".")[0] not in COSMETIC_KEYS
    }
    return origins


def _table(found: Sequence[Deviation]) -> list[str]:
    rows = [("kind", "name", "old", "new", "largest difference", "relative", "")]
    rows += [
        (
            each.kind,
            each.name,
            _number(each.old),
            _number(each.new),
            f"{each.size:.3g}",
            f"{each.relative:.3g}",
            each.note,
        )
        for each in found[:SHOWN]
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = [map(str.ljust, row, widths) for row in rows]
    lines = ["  " + "  ".join(cells).rstrip() for cells in padded]
    more = len(found) - SHOWN
    return [*lines, f"  and {more} more"] if more > 0 else lines


def _number(value: float | None) -> str:
    return "-" if value is None else repr(value)
