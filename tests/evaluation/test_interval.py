"""The bootstrap interval, against statistics worked out another way."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import bootstrap

from prefrun.evaluation.evaluator import NotApplicable
from prefrun.evaluation.interval import mean_with_interval


def test_the_interval_is_scipy_s_percentile_bootstrap() -> None:
    values = np.random.default_rng(5).exponential(size=80)
    ours = mean_with_interval(values.tolist(), resamples=9999, seed=1)
    theirs = bootstrap(
        (values,), np.mean, method="percentile", n_resamples=9999, rng=np.random.default_rng(2)
    ).confidence_interval
    assert ours.value == pytest.approx(values.mean())
    width = theirs.high - theirs.low
    assert ours.low == pytest.approx(theirs.low, abs=0.03 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.03 * width)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    draw = np.random.default_rng(0)
    covered = 0
    for number in range(200):
        values = draw.binomial(1, 0.6, size=100).astype(float).tolist()
        found = mean_with_interval(values, resamples=300, seed=number)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0.6 <= found.high
    assert 180 <= covered <= 198


def test_the_same_seed_gives_the_same_interval() -> None:
    values = [0.0, 1.0, 1.0, 0.5, 0.25]
    first, again = (mean_with_interval(values, resamples=50, seed=4) for _ in range(2))
    assert first == again
    assert first != mean_with_interval(values, resamples=50, seed=5)


def test_prompts_without_a_number_are_left_out_but_keep_their_place() -> None:
    found = mean_with_interval([1.0, None, 0.0], resamples=50, seed=0)
    assert found.value == 0.5
    assert found.per_record == (1.0, None, 0.0)


def test_no_number_at_all_is_not_applicable() -> None:
    with pytest.raises(NotApplicable):
        mean_with_interval([None, None], resamples=50, seed=0)
