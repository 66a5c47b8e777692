"""Pareto front and hypervolume of points, all objectives to be maximised, through moocore."""

from __future__ import annotations

from collections.abc import Sequence

import moocore  # type: ignore[import-untyped]
import numpy as np

Points = Sequence[Sequence[float]]


def on_front(points: Points) -> list[bool]:
    """Return per point [N, K] whether no other is at least as good everywhere and better once."""
    return [bool(flag) for flag in moocore.is_nondominated(_array(points), maximise=True)]


def hypervolume(points: Points, low: Sequence[float], high: Sequence[float]) -> float:
    """Volume between LOW [K] and POINTS [N, K] as a part of the box from LOW to HIGH.

    Objectives without a range count as a factor 1. Points below LOW add nothing.
    """
    floor = np.asarray(low, dtype=np.float64)
    span = np.asarray(high, dtype=np.float64) - floor
    ranged = span > 0
    if not ranged.any():
        return 0.0
    scaled = (_array(points)[:, ranged] - floor[ranged]) / span[ranged]
    return _volume(scaled)


def _volume(scaled: np.ndarray) -> float:
    if scaled.shape[1] == 1:
        return max(0.0, float(scaled.max()))
    origin = np.zeros(scaled.shape[1])
    return float(moocore.hypervolume(scaled, ref=origin, maximise=True))


def _array(points: Points) -> np.ndarray:
    return np.asarray(points, dtype=np.float64)
