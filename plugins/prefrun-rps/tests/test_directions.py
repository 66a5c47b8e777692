"""Directions and their neighbourhoods."""

from __future__ import annotations

import numpy as np
import pytest

from prefrun_rps.directions import (
    angle_between,
    from_angles,
    integer_weights,
    nearest,
    neighbourhood,
    tangent_perturb,
    unit,
)

MANY = 4000
V3 = unit([0.2, -0.5, 0.7])


def random(seed=0):
    return np.random.default_rng(seed)


def angles(v, found):
    return np.array([angle_between(v, each) for each in found])


@pytest.mark.parametrize("scheme", ["uniform", "toward_train"])
@pytest.mark.parametrize("v", [from_angles([50.0])[0], V3, unit(range(1, 8))], ids=len)
def test_a_neighbourhood_stays_in_its_cone_and_fills_it(v, scheme):
    found = neighbourhood(v, MANY, 30.0, scheme, random(), toward=unit(np.ones(v.size)))
    assert np.allclose(np.linalg.norm(found, axis=-1), 1.0)
    found_angles = angles(v, found)
    assert found_angles.max() <= 30.0 + 1e-9
    shares = np.histogram(found_angles, bins=6, range=(0, 30))[0] / MANY
    assert np.allclose(shares, 1 / 6, atol=0.03)  # the angle is uniform in every dimension


def test_two_dimensions_have_both_sides():
    found = neighbourhood(from_angles([40.0])[0], MANY, 30.0, "uniform", random())
    degrees = np.rad2deg(np.arctan2(found[:, 1], found[:, 0]))
    shares = np.histogram(degrees, bins=6, range=(10, 70))[0] / MANY
    assert np.allclose(shares, 1 / 6, atol=0.03)


def test_toward_train_turns_to_the_training_direction():
    v, train = from_angles([60.0, 25.0])
    found = neighbourhood(v, 50, 30.0, "toward_train", random(), toward=train)
    assert (np.arctan2(found[:, 1], found[:, 0]) < np.deg2rad(60.0)).all()
    away = neighbourhood(V3, 50, 30.0, "toward_train", random(), toward=unit([1, 1, 1]))
    start = angle_between(V3, unit([1, 1, 1]))
    assert (angles(unit([1, 1, 1]), away) < start).all()


def test_a_target_that_is_the_training_direction_has_no_side():
    found = neighbourhood(V3, 4, 30.0, "toward_train", random(), toward=V3)
    assert (found == V3).all()


@pytest.mark.parametrize("v", [from_angles([37.0])[0], V3], ids=len)
@pytest.mark.parametrize("scheme", ["uniform", "grid", "toward_train"])
def test_no_cone_gives_the_target_itself(v, scheme):
    if scheme == "grid" and v.size > 2:
        v = from_angles([-80.0])[0]
    found = neighbourhood(v, 5, 0.0, scheme, random(), toward=unit(np.ones(v.size)))
    assert (found == v).all()


def test_include_target_comes_first_and_costs_one_candidate():
    v = from_angles([30.0])[0]
    found = neighbourhood(v, 5, 30.0, "uniform", random(), include_target=True)
    assert found.shape == (5, 2)
    assert (found[0] == v).all()
    assert (angles(v, found[1:]) > 0).all()


def test_clip_leaves_no_negative_weight():
    v = from_angles([-60.0])[0]
    free = neighbourhood(v, 200, 60.0, "uniform", random())
    clipped = neighbourhood(v, 200, 60.0, "uniform", random(), clip=True)
    assert (free < 0).any()
    assert (clipped >= 0).all()
    assert np.allclose(np.linalg.norm(clipped, axis=-1), 1.0)


def test_grid_is_for_two_objectives_only():
    with pytest.raises(ValueError, match="2 objectives"):
        neighbourhood(V3, 5, 30.0, "grid", random())


def test_an_unknown_scheme_is_named():
    with pytest.raises(ValueError, match="spiral"):
        neighbourhood(V3, 5, 30.0, "spiral", random())


def test_noise_along_the_direction_has_no_tangent():
    with pytest.raises(ValueError, match="parallel"):
        tangent_perturb(V3, 2 * V3[None, :], np.array([0.1]))


class ParallelFirst:
    """A generator whose first draw is parallel to the direction."""

    def __init__(self):
        self.draws = 0

    def uniform(self, low, high, size):
        return np.full(size, high)

    def standard_normal(self, shape):
        self.draws += 1
        return np.tile(V3, (shape[0], 1)) if self.draws == 1 else random().standard_normal(shape)


def test_parallel_noise_is_drawn_again():
    source = ParallelFirst()
    found = neighbourhood(V3, 3, 30.0, "uniform", source)
    assert source.draws == 2
    assert np.allclose(angles(V3, found), 30.0)


@pytest.mark.parametrize("weights", [[0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0]])
def test_weights_without_a_direction_are_refused(weights):
    with pytest.raises(ValueError, match=r"zero|finite"):
        unit(weights)


def test_tiny_and_huge_weights_have_a_direction():
    assert np.allclose(unit([3e-300, 4e-300]), [0.6, 0.8])
    assert np.allclose(unit([3e300, 4e300]), [0.6, 0.8])


def test_close_angles_become_the_same_weights():
    one, other = from_angles([30.0, 29.8])
    assert integer_weights(one) == integer_weights(other) == [87, 50]


def test_nearest_is_the_smallest_angle():
    others = list(from_angles([0.0, 10.0, 25.0]))
    found, degrees = nearest(from_angles([45.0])[0], others)
    assert (found == others[2]).all()
    assert degrees == pytest.approx(20.0)
    with pytest.raises(ValueError, match="no training direction"):
        nearest(V3, [])
