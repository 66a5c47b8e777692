"""What configurations cost, and which of them nothing beats at no more cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from prefrun.comparison.runs import RunResult

SECONDS = "seconds"
COSTS = {
    SECONDS: "seconds",
    "cpu_seconds": "CPU seconds",
    "gpu_seconds": "GPU seconds",
    "tokens": "tokens trained on",
    "peak_memory_mib": "peak memory (MiB)",
}
"""What is counted of a run, in words."""


def mean_costs(runs: Sequence[RunResult]) -> dict[str, float]:
    """Return the mean over RUNS of what every one of them counted."""
    names = [name for name in COSTS if all(name in run.costs for run in runs)]
    return {name: fmean(run.costs[name] for run in runs) for name in names}


def pareto(values: Mapping[str, float], seconds: Mapping[str, float], direction: str) -> set[str]:
    """Return the labels that no other one beats in value or in seconds without losing in the other.

    DIRECTION says whether a high (max) or a low (min) value is better.
    """
    sign = 1.0 if direction == "max" else -1.0
    points = {name: (sign * values[name], -seconds[name]) for name in values if name in seconds}

    def beaten(name: str) -> bool:
        own = points[name]
        return any(
            all(x >= y for x, y in zip(other, own, strict=True)) and other != own
            for other in points.values()
        )

    return {name for name in points if not beaten(name)}
