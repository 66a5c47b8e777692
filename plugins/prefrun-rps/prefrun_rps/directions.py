"""Preference directions: unit vectors over objectives, and their angular neighbourhood.

A direction v in R^d weighs d objectives. In two dimensions it is an angle from the first objective:
v = (cos th, sin th). Source: Robust Preference Selection (arXiv 2510.20498); the weights of the
steering prompt are those of DPA (arXiv 2402.18571).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = NDArray[np.float64]

SCHEMES = ("uniform", "grid", "toward_train")
PARALLEL = 1e-8
"""A tangent shorter than this has no direction."""


def unit(weights: ArrayLike) -> Vector:
    """Return WEIGHTS [d] at length 1. Raises ValueError for a zero vector or numbers not finite."""
    vector = np.asarray(weights, dtype=np.float64)
    if not np.isfinite(vector).all():
        raise ValueError(f"the preference {vector.tolist()} is not finite")
    largest = np.abs(vector).max(initial=0.0)
    if largest == 0.0:
        raise ValueError("the preference vector is zero: it names no direction")
    scaled = vector / largest  # else the squares of huge or tiny weights leave the floats
    return np.asarray(scaled / np.linalg.norm(scaled), dtype=np.float64)


def from_angles(degrees: ArrayLike) -> Vector:
    """Angles [n] in degrees from the first objective -> directions [n, 2]."""
    radians = np.deg2rad(np.asarray(degrees, dtype=np.float64))
    return np.stack([np.cos(radians), np.sin(radians)], axis=-1)


def angle_between(one: Vector, other: Vector) -> float:
    """Angle of two unit vectors [d] in degrees, in [0, 180]; exact for nearly equal ones, too."""
    radians = 2 * np.arctan2(np.linalg.norm(one - other), np.linalg.norm(one + other))
    return float(np.rad2deg(radians))


def integer_weights(direction: Vector) -> list[int]:
    """DPA's weights: 100 times each component [d], rounded. Angles < 0.5 degrees apart collapse."""
    return [int(weight) for weight in np.rint(100 * direction)]


def tangent_perturb(direction: Vector, noise: Vector, radians: Vector) -> Vector:
    """Turn DIRECTION [d] by RADIANS [n] towards NOISE [n, d]: cos(phi) v + sin(phi) u, [n, d].

    u is the part of the noise that is orthogonal to v, at length 1. Raises ValueError where that
    part vanishes.
    """
    tangents = noise - np.outer(noise @ direction, direction)
    lengths = np.linalg.norm(tangents, axis=-1, keepdims=True)
    if (lengths < PARALLEL).any():
        raise ValueError("the noise is parallel to the direction")
    tangents = tangents / lengths
    return np.asarray(
        np.cos(radians)[:, None] * direction + np.sin(radians)[:, None] * tangents,
        dtype=np.float64,
    )


def neighbourhood(
    direction: Vector,
    k: int,
    theta_max: float,
    scheme: str,
    random: np.random.Generator,
    *,
    include_target: bool = False,
    clip: bool = False,
    toward: Vector | None = None,
) -> Vector:
    """Return K directions [k, d] within THETA_MAX degrees of DIRECTION [d], d >= 2.

    uniform: the angle is uniform, in two dimensions on both sides, else with a random tangent.
    grid: in two dimensions, equally spaced from one end of the cone to the other; k=1 is DIRECTION.
    toward_train: the angle is uniform on the side of TOWARD [d]; where that is DIRECTION itself,
    there is no side, and all are DIRECTION. include_target: the first one is DIRECTION. clip:
    weights below 0 become 0; a direction without any other weight becomes the clipped DIRECTION.
    Raises ValueError for a scheme that does not fit.
    """
    own = int(include_target)
    limit = float(np.deg2rad(theta_max))
    if scheme == "grid":
        found = _grid(direction, k - own, limit)
    elif scheme == "toward_train":
        found = _toward(direction, k - own, limit, random, toward)
    elif scheme == "uniform":
        found = _uniform(direction, k - own, limit, random)
    else:
        raise ValueError(f"scheme={scheme!r}: choose one of {', '.join(SCHEMES)}")
    found = np.concatenate([np.tile(direction, (own, 1)), found])
    return _clipped(found, direction) if clip else found


def _uniform(direction: Vector, k: int, limit: float, random: np.random.Generator) -> Vector:
    if direction.size == 2:
        return _turned(direction, random.uniform(-limit, limit, size=k))
    radians = random.uniform(0.0, limit, size=k)
    return tangent_perturb(direction, _noise(direction, k, random), radians)


def _noise(direction: Vector, k: int, random: np.random.Generator) -> Vector:
    """Normal noise [k, d], drawn anew where it is parallel to DIRECTION."""
    noise = random.standard_normal((k, direction.size))
    while True:
        tangents = noise - np.outer(noise @ direction, direction)
        parallel = np.linalg.norm(tangents, axis=-1) < PARALLEL
        if not parallel.any():
            return noise
        noise[parallel] = random.standard_normal((int(parallel.sum()), direction.size))


def _grid(direction: Vector, k: int, limit: float) -> Vector:
    if direction.size != 2:
        raise ValueError(f"scheme=grid is for 2 objectives, not for {direction.size}")
    return _turned(direction, np.linspace(-limit, limit, k) if k > 1 else np.zeros(k))


def _turned(direction: Vector, radians: Vector) -> Vector:
    """Turn DIRECTION [2] by RADIANS [k], anticlockwise: [k, 2]. By 0 it stays as it is."""
    across = np.array([-direction[1], direction[0]])
    return np.asarray(
        np.cos(radians)[:, None] * direction + np.sin(radians)[:, None] * across, dtype=np.float64
    )


def _toward(
    direction: Vector, k: int, limit: float, random: np.random.Generator, toward: Vector | None
) -> Vector:
    if toward is None:
        raise ValueError("scheme=toward_train needs a training direction")
    radians = random.uniform(0.0, limit, size=k)
    tangent = toward - (toward @ direction) * direction
    if np.linalg.norm(tangent) < PARALLEL:
        return np.tile(direction, (k, 1))
    return tangent_perturb(direction, np.tile(tangent, (k, 1)), radians)


def _clipped(directions: Vector, target: Vector) -> Vector:
    positive = np.maximum(directions, 0.0)
    positive[positive.max(axis=-1) == 0.0] = np.maximum(target, 0.0)
    return np.stack([unit(weights) for weights in positive])


def nearest(direction: Vector, others: Sequence[Vector]) -> tuple[Vector, float]:
    """Return the one of OTHERS at the smallest angle from DIRECTION [d], and that angle in degrees.

    Raises ValueError where there is none.
    """
    if not others:
        raise ValueError("there is no training direction")
    angles = [angle_between(direction, other) for other in others]
    best = int(np.argmin(angles))
    return others[best], angles[best]
