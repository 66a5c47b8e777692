"""Curves of quality against latency: drawn, and compared at equal latency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from prefrun.rundir.figure import BLUE, GREEN, ORANGE, picture

Rows = Sequence[Mapping[str, Any]]
SYSTEMS = {"confidence": BLUE, "wait-k": ORANGE, "full sentence": GREEN}
"""In the order in which they are drawn."""
LATENCY = "AL"


@dataclass(frozen=True, slots=True)
class Line:
    """One curve: a point per setting."""

    label: str
    points: tuple[tuple[float, float, str], ...]
    """(latency, quality, what stands beside the point), by falling or rising setting."""
    color: str


def curve_points(rows: Rows, system: str, quality: str) -> tuple[tuple[float, float, str], ...]:
    """Return the points of SYSTEM; settings without latency, all hypotheses empty, are left out."""
    return tuple(
        (row[LATENCY], row[quality], "" if row["setting"] is None else f"{row['setting']:g}")
        for row in rows
        if row["system"] == system and row[LATENCY] is not None
    )


def draw_curves(path: Path, panels: Mapping[str, Sequence[Line]]) -> None:
    """Write a picture with a panel per measure of quality. Raises PrefrunError."""
    with picture(path, len(panels), 6.4, 4.4) as (_, axes):
        for axis, (quality, lines) in zip(axes, panels.items(), strict=True):
            for line in lines:
                latency, values = [p[0] for p in line.points], [p[1] for p in line.points]
                marker = "*" if len(line.points) == 1 else "o"
                size = 12 if len(line.points) == 1 else 5
                axis.plot(
                    latency,
                    values,
                    "-",
                    marker=marker,
                    markersize=size,
                    color=line.color,
                    label=line.label,
                )
                for place, value, text in line.points:
                    axis.annotate(
                        text,
                        (place, value),
                        xytext=(4, -11),
                        textcoords="offset points",
                        size=8,
                        color=line.color,
                    )
            axis.set_xlabel("average lagging (source words)")
            axis.set_ylabel(quality)
            axis.legend()


def at_latency(points: Sequence[tuple[float, float]], latency: float) -> float | None:
    """Return the quality at LATENCY by linear interpolation; None outside the curve's range.

    POINTS: (latency, quality). Of points with equal latency the best counts.
    """
    best: dict[float, float] = {}
    for place, value in points:
        best[place] = max(value, best.get(place, value))
    ordered = sorted(best.items())
    if not ordered or not ordered[0][0] <= latency <= ordered[-1][0]:
        return None
    for (left, low), (right, high) in pairwise(ordered):
        if left <= latency <= right:
            return low + (high - low) * (latency - left) / (right - left)
    return ordered[0][1]


def shared_range(curves: Sequence[Sequence[tuple[float, float]]]) -> tuple[float, float] | None:
    """Return the latencies that every curve covers; None where there are none."""
    low = max(min(place for place, _ in points) for points in curves)
    high = min(max(place for place, _ in points) for points in curves)
    return (low, high) if low < high else None
