"""The picture of win rate and gain over the user's direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from prefrun.rundir.figure import BLUE, GREEN, GREY, ORANGE, picture
from prefrun_rps.results import Interval

COLOURS = (BLUE, ORANGE, GREEN)


@dataclass(frozen=True, slots=True)
class Point:
    """What was measured at one direction."""

    degrees: float
    win_rate: Interval
    gain: Interval
    distance: float | None
    """Degrees to the nearest training direction; None where that is not known."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One configuration."""

    label: str
    points: Sequence[Point]


def draw(path: Path, curves: Sequence[Curve]) -> None:
    """Draw win rate and gain of CURVES over the direction, with their intervals, to PATH."""
    with picture(path, 2, 5.2, 3.4) as (_, axes):
        for axis, name, label, even in (
            (axes[0], "win_rate", "win rate over best-of-n", 0.5),
            (axes[1], "gain", "gain in v·r over best-of-n", 0.0),
        ):
            _shade_covered(axis, curves)
            axis.axhline(even, color=GREY, linewidth=1)
            for number, curve in enumerate(curves):
                colour = COLOURS[number % len(COLOURS)]
                values = [getattr(point, name) for point in curve.points]
                below = [value.value - value.low for value in values]
                above = [value.high - value.value for value in values]
                axis.errorbar(
                    [point.degrees for point in curve.points],
                    [value.value for value in values],
                    yerr=[below, above],
                    color=colour,
                    marker="o",
                    markersize=4,
                    capsize=2.5,
                    label=curve.label or None,
                )
            axis.set_xlabel("user's direction (degrees from the first objective)")
            axis.set_ylabel(label)
        axes[0].set_ylim(0, 1)
        if any(curve.label for curve in curves):
            axes[0].legend()


def _shade_covered(axis, curves: Sequence[Curve]) -> None:  # type: ignore[no-untyped-def]
    covered = [
        point.degrees for curve in curves for point in curve.points if _is_covered(point.distance)
    ]
    if covered:
        axis.axvspan(min(covered), max(covered), color=GREY, alpha=0.15, linewidth=0)
        axis.annotate(
            "covered by training",
            (min(covered), 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(3, -3),
            textcoords="offset points",
            va="top",
            fontsize=8,
            color="#555555",
        )


def _is_covered(distance: float | None) -> bool:
    return distance is not None and distance < 1.0
