"""Which configuration would be chosen on one half of the prompts, and how it does on the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from prefrun.comparison.runs import RunResult


@dataclass(frozen=True, slots=True)
class Selection:
    """The configuration that is best on the validation half."""

    label: str
    validation: float
    """Its mean over the seeds on held-out prompts at even places, which chose it."""
    test: float
    """Its mean on those at odd places, which did not."""


def select(
    groups: Mapping[str, Sequence[RunResult]], metric: str, direction: str
) -> Selection | None:
    """Choose among GROUPS, runs by label, by METRIC, whose DIRECTION is max or min.

    None where fewer than two groups have values by prompt.
    """
    halves = {label: _halves(runs, metric) for label, runs in groups.items()}
    known = {label: half for label, half in halves.items() if half is not None}
    if len(known) < 2 or direction not in ("max", "min"):
        return None
    best = max if direction == "max" else min
    label = best(known, key=lambda name: known[name][0])
    return Selection(label, *known[label])


def _halves(runs: Sequence[RunResult], metric: str) -> tuple[float, float] | None:
    parts: list[list[float]] = []
    for first in (0, 1):
        values = [run.per_record.get(metric, ())[first::2] for run in runs]
        means = [fmean(known) for half in values if (known := [v for v in half if v is not None])]
        if len(means) < len(runs) or not means:
            return None
        parts.append(means)
    return fmean(parts[0]), fmean(parts[1])
