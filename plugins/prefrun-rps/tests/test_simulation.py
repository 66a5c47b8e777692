"""The simulated generator, and stochastic dominance."""

from __future__ import annotations

import numpy as np
import pytest

from prefrun_rps.directions import from_angles
from prefrun_rps.simulation import Cone, Generator, dominance_violation, dominates, simulate

GENERATOR = Generator(center=0.0, width=15.0, falloff=20.0, sigma=0.15)
CONE = Cone(5, 30.0, "uniform")


def test_quality_is_the_printed_formula():
    degrees = np.array([0.0, 15.0, -15.0, 35.0, -55.0])
    expected = [1.0, 1.0, 1.0, np.exp(-1.0), np.exp(-4.0)]
    assert np.allclose(GENERATOR.quality(degrees), expected)


def test_an_answer_has_the_quality_of_the_angle_that_was_asked():
    asked = np.broadcast_to(from_angles([35.0])[0], (20_000, 2))
    answers = GENERATOR.answer(asked, np.random.default_rng(0))
    assert np.allclose(answers.mean(0), np.exp(-1.0) * asked[0], atol=0.005)
    assert np.allclose(answers.std(0), 0.15, atol=0.005)


@pytest.mark.parametrize(
    ("target", "win_rate", "gain"),
    [(0, 0.34, -0.06), (15, 0.29, -0.09), (30, 0.89, 0.23), (45, 0.92, 0.44), (60, 0.76, 0.14)],
)
def test_measured_win_rates_and_gains(target, win_rate, gain):
    trials = simulate(float(target), 4000, CONE, GENERATOR, np.random.default_rng(1))
    mine, theirs = trials.best
    assert trials.wins.mean() == pytest.approx(win_rate, abs=0.025)
    assert (mine - theirs).mean() == pytest.approx(gain, abs=0.015)


def test_without_a_cone_nobody_wins():
    trials = simulate(45.0, 4000, Cone(5, 0.0, "uniform"), GENERATOR, np.random.default_rng(1))
    assert trials.wins.mean() == pytest.approx(0.5, abs=0.025)
    mine, theirs = trials.best
    assert not dominates(mine, theirs)
    assert not dominates(theirs, mine)


def test_turning_to_the_band_beats_both_sides():
    random = np.random.default_rng
    both = simulate(60.0, 2000, CONE, GENERATOR, random(1)).best[0].mean()
    inward = (
        simulate(60.0, 2000, Cone(5, 30.0, "toward_train"), GENERATOR, random(1)).best[0].mean()
    )
    assert inward > both + 0.05


def test_violation_is_the_largest_gap_of_the_distribution_functions():
    low, high = np.array([0.0, 1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0, 4.0])
    assert dominance_violation(high, low) == 0.0
    assert dominance_violation(low, high) == 0.25
    crossing = np.array([-1.0, 5.0, 5.0, 5.0])
    assert dominance_violation(crossing, low) == 0.25
    assert dominance_violation(low, crossing) == 0.75


def test_dominance_is_told_from_sampling_error():
    random = np.random.default_rng(0)
    one, other = random.normal(size=2000), random.normal(size=2000)
    assert not dominates(one, other)
    assert dominates(one + 0.5, other)
    assert not dominates(other, one + 0.5)
    assert not dominates(3 * one + 0.5, other)  # better on average, worse below
