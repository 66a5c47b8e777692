"""Means of costs, and the rows nothing beats at no more cost."""

from __future__ import annotations

from prefrun.comparison.compare import compare
from prefrun.comparison.costs import mean_costs, pareto


def test_costs_are_means_of_what_every_run_counted(result):
    runs = [
        result({"kl": 1.0}, seed=1, cost={"seconds": 10.0, "tokens": 100, "gpu_seconds": None}),
        result({"kl": 1.0}, seed=2, cost={"seconds": 20.0}),
    ]
    assert mean_costs(runs) == {"seconds": 15.0}


def test_the_front_has_what_nothing_beats():
    values = {"fast": 0.5, "slow": 0.9, "worse": 0.4, "dear": 0.9, "even": 0.7}
    seconds = {"fast": 1.0, "slow": 9.0, "worse": 1.0, "dear": 10.0, "even": 5.0}
    assert pareto(values, seconds, "max") == {"fast", "even", "slow"}
    assert pareto(values, seconds, "min") == {"worse"}


def test_equals_are_on_the_front_together():
    assert pareto({"a": 1.0, "b": 1.0}, {"a": 2.0, "b": 2.0}, "max") == {"a", "b"}


def test_rows_say_what_they_are_on_the_front_of(result):
    runs = [
        result({"win_rate": 0.6, "loss": 1.0}, cost={"seconds": 5.0}),
        result({"win_rate": 0.5, "loss": 0.5}, cost={"seconds": 6.0}, algo="dpo"),
    ]
    lipo, dpo = compare(runs).rows
    assert (lipo.pareto, dpo.pareto) == (("win_rate", "loss"), ("loss",))
    assert lipo.costs == {"seconds": 5.0}
