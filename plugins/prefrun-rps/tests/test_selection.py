"""Selection by the user's own direction."""

from __future__ import annotations

import numpy as np
import pytest

from prefrun_rps.directions import from_angles
from prefrun_rps.selection import Scale, scores_of, select, verdict, win_rate

V = from_angles([30.0])[0]


def test_a_candidate_without_a_finite_reward_never_wins():
    scores = scores_of(V, [[9.0, np.nan], [0.1, 0.1], [np.inf, 0.0], [0.3, 0.2]])
    assert np.isnan(scores).tolist() == [True, False, True, False]
    assert select(scores) == 3


def test_no_finite_reward_at_all_is_an_error():
    with pytest.raises(ValueError, match="no candidate"):
        select(scores_of(V, [[np.nan, 1.0], [1.0, np.nan]]))


def test_a_scale_keeps_one_objective_from_deciding_alone():
    rewards = np.array([[0.0, 90.0], [1.0, 80.0], [0.9, 85.0]])
    v = from_angles([45.0])[0]
    assert select(scores_of(v, rewards)) == 0
    assert select(scores_of(v, Scale.of(rewards).apply(rewards))) == 2


def test_a_constant_objective_scales_to_zero():
    rewards = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, np.nan]])
    scaled = Scale.of(rewards).apply(rewards)
    assert scaled[:2].tolist() == [[-1.0, 0.0], [1.0, 0.0]]
    assert np.isnan(scaled[2, 1])


def test_verdicts_and_their_mean():
    words = [verdict(2.0, 1.0), verdict(1.0, 1.0), verdict(0.0, 1.0), verdict(1.0, 0.0)]
    assert words == ["A", "tie", "B", "A"]
    assert win_rate(words) == 0.625
