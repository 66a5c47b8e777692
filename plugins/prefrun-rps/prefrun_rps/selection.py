"""Picks the best of k candidates by the user's own direction, and compares two pools.

Source: Robust Preference Selection (arXiv 2510.20498), phase 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from prefrun_rps.directions import Vector

VERDICTS = {"A": 1.0, "tie": 0.5, "B": 0.0}
"""What a comparison of A with B is worth to A."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Where an objective lies and how far it spreads; `apply` makes z-scores."""

    mean: Vector
    """[d]"""
    spread: Vector
    """[d] standard deviations; 0 where an objective never varies."""

    @classmethod
    def of(cls, rewards: Vector) -> Scale:
        """Return the scale of REWARDS [n, d]; rows that are not finite are left out."""
        rows = rewards[np.isfinite(rewards).all(axis=-1)]
        return cls(rows.mean(axis=0), rows.std(axis=0))

    def apply(self, rewards: Vector) -> Vector:
        """Return z-scores [n, d]; 0 for an objective that never varies."""
        varies = self.spread > 0
        scaled = (rewards - self.mean) / np.where(varies, self.spread, 1.0)
        return np.asarray(np.where(varies | ~np.isfinite(rewards), scaled, 0.0), dtype=np.float64)


def scores_of(direction: Vector, rewards: ArrayLike) -> Vector:
    """s_i = v . r_i: DIRECTION [d], REWARDS [k, d] -> [k]; NaN where a reward is not finite."""
    values = np.asarray(rewards, dtype=np.float64)
    finite = np.asarray(np.isfinite(values).all(axis=-1, keepdims=True))
    clean = np.where(finite, values, 0.0)
    return np.asarray(np.where(finite[..., 0], clean @ direction, np.nan), dtype=np.float64)


def select(scores: Vector) -> int:
    """Return the index of the highest of SCORES [k]: the lowest one of a tie; NaN never wins.

    Raises ValueError where every score is NaN.
    """
    if np.isnan(scores).all():
        raise ValueError("no candidate has a finite reward")
    return int(np.nanargmax(scores))


def verdict(mine: float, theirs: float) -> str:
    """Return 'A' where MINE is the higher score, 'B' where it is the lower one, else 'tie'."""
    if mine == theirs:
        return "tie"
    return "A" if mine > theirs else "B"


def win_rate(verdicts: Sequence[str]) -> float:
    """Return the part of VERDICTS ('A', 'B' or 'tie') that A wins; ties count half."""
    return float(np.mean([VERDICTS[word] for word in verdicts]))
