"""Public data sets whose columns are known by name: data.layout=NAME, or told by their columns."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from prefrun.records.columns import Columns


@dataclass(frozen=True, slots=True)
class Layout:
    """A stored mapping. It is told by its `marks`, columns that no other layout has all of."""

    name: str
    example: str
    """A data set that has it."""
    marks: tuple[str, ...]
    bookkeeping: tuple[str, ...]
    """Columns of text that no training needs."""
    columns: Mapping[str, Any]
    """As the keys of data.columns."""

    def mapping(self, given: Columns) -> Columns:
        """Return the columns of this layout, and those GIVEN in the place of its own."""
        own = {name: value for name, value in vars(given).items() if value not in (None, False)}
        return Columns(**{**self.columns, **own})


def layout_of(names: Collection[str], layouts: Iterable[Layout]) -> Layout | None:
    """Return the one of LAYOUTS whose marks are all among the column NAMES; of several, the
    fullest."""
    found = [each for each in layouts if set(each.marks) <= set(names)]
    longest = max((len(each.marks) for each in found), default=0)
    best = [each for each in found if len(each.marks) == longest]
    return best[0] if len(best) == 1 else None
