"""Whether two runs' numbers agree, and by how much they do not. Standard library only."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prefrun.repetition.numbers import Series

GPU_TOLERANCE = {"float64": 1e-6, "float32": 1e-3, "float16": 5e-3, "bfloat16": 2e-2}
"""By the model's dtype: the largest deviation on a GPU, relative to the series' largest number.
GPUs add in an order that is not fixed. On a CPU no deviation is tolerated."""
SMALLEST = 1e-3
"""A series of smaller numbers is judged as if this were its largest: theirs are rounding errors."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """One series, or one tensor, that is not the same in both runs."""

    kind: str
    name: str
    old: float | None
    """At the place of the largest difference; None where there is no number."""
    new: float | None
    size: float
    """The largest absolute difference; infinite where one side has no number."""
    relative: float
    """SIZE relative to the largest number of the old series."""
    note: str = ""
    """What a difference of numbers does not say."""


def tolerance_of(old: Mapping[str, Any], new: Mapping[str, Any]) -> float:
    """Return the tolerance between runs with the manifests OLD and NEW; 0 = bit for bit."""
    models = old.get("model", {}), new.get("model", {})
    if all(str(model.get("device", "cpu")).startswith("cpu") for model in models):
        return 0.0
    known = [GPU_TOLERANCE.get(model.get("dtype"), GPU_TOLERANCE["float32"]) for model in models]
    return max(known)


def deviations(
    old: Mapping[str, Series], new: Mapping[str, Series], tolerance: float
) -> list[Deviation]:
    """Return the series of OLD and NEW, by kind, that deviate by more than TOLERANCE."""
    return [found for kind in old for found in _of_kind(kind, old[kind], new[kind], tolerance)]


def _of_kind(kind: str, old: Series, new: Series, tolerance: float) -> Iterator[Deviation]:
    for name in dict.fromkeys([*old, *new]):
        if name not in old or name not in new:
            where = "old" if name in old else "new"
            yield Deviation(kind, name, None, None, math.inf, math.inf, f"only in the {where} run")
        elif found := _between(kind, name, old[name], new[name], tolerance):
            yield found


def _between(
    kind: str,
    name: str,
    old: Sequence[float | None],
    new: Sequence[float | None],
    tolerance: float,
) -> Deviation | None:
    if len(old) != len(new):
        note = f"{len(old)} numbers, now {len(new)}"
        return Deviation(kind, name, None, None, math.inf, math.inf, note)
    gaps = [_gap(before, after) for before, after in zip(old, new, strict=True)]
    size = max(gaps, default=0.0)
    scale = max([abs(value) for value in old if value is not None], default=0.0)
    if size <= tolerance * max(scale, SMALLEST):
        return None
    place = gaps.index(size)
    changed = sum(gap > 0 for gap in gaps)
    note = f"{changed} of {len(gaps)} differ" if len(gaps) > 1 else ""
    relative = size / scale if scale else math.inf
    return Deviation(kind, name, old[place], new[place], size, relative, note)


def _gap(before: float | None, after: float | None) -> float:
    if before is None or after is None:
        return 0.0 if before is after else math.inf
    return abs(after - before)
