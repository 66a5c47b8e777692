"""A simulated generator that is good in one band of directions, and RPS against best-of-n on it.

Asked for direction a (degrees), the generator answers with a reward vector in two objectives,

    r = q(a) (cos a, sin a) + sigma eps,    q(a) = exp(-(max(0, |a - a0| - w) / b)^2).

Everything is a function of numpy arrays; angles are in degrees.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prefrun_rps.directions import Vector, from_angles, neighbourhood

CRITICAL = 1.3581
"""Of the two-sample Kolmogorov-Smirnov statistic at 5 %, times sqrt(2 / n) for n each."""


@dataclass(frozen=True, slots=True)
class Generator:
    """See the module's formula."""

    center: float
    width: float
    falloff: float
    sigma: float

    def quality(self, degrees: Vector) -> Vector:
        """q(a), any shape."""
        outside = np.maximum(0.0, np.abs(degrees - self.center) - self.width)
        return np.asarray(np.exp(-((outside / self.falloff) ** 2)), dtype=np.float64)

    def answer(self, directions: Vector, random: np.random.Generator) -> Vector:
        """Draw a reward vector for each of DIRECTIONS [..., 2]."""
        degrees = np.rad2deg(np.arctan2(directions[..., 1], directions[..., 0]))
        mean = self.quality(degrees)[..., None] * directions
        noise = random.standard_normal(directions.shape)
        return np.asarray(mean + self.sigma * noise, dtype=np.float64)

    def nearest_covered(self, degrees: float) -> float:
        """Return the covered angle that is nearest to DEGREES."""
        low, high = self.center - self.width, self.center + self.width
        return float(min(max(degrees, low), high))


@dataclass(frozen=True, slots=True)
class Cone:
    """How RPS draws its directions, see `directions.neighbourhood`."""

    k: int
    theta_max: float
    scheme: str


@dataclass(frozen=True, slots=True)
class Trials:
    """Scores v . r of both methods for one target."""

    rps: Vector
    """[trials, k]"""
    baseline: Vector
    """[trials, k]"""

    @property
    def best(self) -> tuple[Vector, Vector]:
        """Per trial the selected score of each: [trials] and [trials]."""
        return self.rps.max(axis=-1), self.baseline.max(axis=-1)

    @property
    def wins(self) -> Vector:
        """Per trial 1 where RPS's selected score is the higher one, 0.5 for a tie: [trials]."""
        mine, theirs = self.best
        return np.asarray(0.5 * (1 + np.sign(mine - theirs)), dtype=np.float64)


def simulate(
    target: float, trials: int, cone: Cone, generator: Generator, random: np.random.Generator
) -> Trials:
    """Run TRIALS of both methods for a user whose direction is TARGET degrees."""
    v = from_angles([target])[0]
    toward = from_angles([generator.nearest_covered(target)])[0]
    near = np.stack(
        [
            neighbourhood(v, cone.k, cone.theta_max, cone.scheme, random, toward=toward)
            for _ in range(trials)
        ]
    )
    own = np.broadcast_to(v, near.shape)
    return Trials(generator.answer(near, random) @ v, generator.answer(own, random) @ v)


def dominance_violation(mine: Vector, theirs: Vector) -> float:
    """sup_x F_mine(x) - F_theirs(x), at least 0, of the empirical distribution functions.

    MINE first-order stochastically dominates THEIRS where it is 0: at no x is it likelier to stay
    below.
    """
    points = np.concatenate([mine, theirs])
    below = np.searchsorted(np.sort(mine), points, side="right") / mine.size
    others = np.searchsorted(np.sort(theirs), points, side="right") / theirs.size
    return max(0.0, float((below - others).max()))


def dominates(mine: Vector, theirs: Vector) -> bool:
    """Whether MINE dominates THEIRS as far as the sample shows, and not the other way round.

    A violation up to the two-sided 5 % Kolmogorov-Smirnov bound of two equal distributions is
    sampling error; the reverse violation must be beyond it.
    """
    bound = CRITICAL * np.sqrt(1 / mine.size + 1 / theirs.size)
    return bool(dominance_violation(mine, theirs) <= bound < dominance_violation(theirs, mine))
