"""Learning curves: mean and spread over seeds, few enough points."""

from __future__ import annotations

import pytest

from prefrun.comparison.compare import compare
from prefrun.comparison.page import curves
from prefrun.comparison.page.curves import curves_payload
from prefrun.comparison.runs import load_runs


def named(payload, row, metric):
    """Steps and the other parts of one curve."""
    at = [name for name, *_ in payload["metrics"]].index(metric)
    number, *parts = payload["rows"][row][at]
    return payload["steps"][number], *parts


def test_a_curve_is_mean_range_and_error_over_seeds(comparison):
    payload = curves_payload(comparison.rows)
    steps, means, lows, highs, errors = named(payload, 0, "loss")
    assert steps == list(range(2, 21, 2))
    assert means[0] == pytest.approx(0.65)  # 0.1 + 1/2 and 0.2 + 1/2
    assert (lows[0], highs[0]) == pytest.approx((0.6, 0.7))
    assert errors[0] == pytest.approx(0.05)


def test_a_run_that_logged_nothing_has_no_curve(comparison):
    assert curves_payload(comparison.rows)["rows"][2] == [None, None]


def test_one_seed_needs_no_band_and_seeds_may_log_different_steps(make_run, tmp_path):
    make_run("s/0", {"kl": 1.0}, algo="dpo", lines=[{"step": 1, "loss": 3.0}])
    for seed, steps in ((1, (5, 10)), (2, (10, 15))):
        lines = [{"step": step, "loss": float(step * seed)} for step in steps]
        make_run(f"s/{seed}", {"kl": 1.0}, seed=seed, lines=lines)
    payload = curves_payload(compare(load_runs([tmp_path / "s"])).rows)
    assert named(payload, 0, "loss") == ([1], [3])
    assert named(payload, 1, "loss")[:2] == ([5, 10, 15], [5, 15, 30])


def test_long_curves_are_thinned_and_keep_their_ends(make_run, tmp_path):
    lines = [{"step": step, "loss": step / 3} for step in range(1, 1001)]
    make_run("s/0", {"kl": 1.0}, lines=lines)
    steps, means = named(curves_payload(compare(load_runs([tmp_path / "s"])).rows), 0, "loss")
    assert len(steps) == curves.MOST_POINTS
    assert (steps[0], steps[-1]) == (1, 1000)
    assert means[-1] == 333.33


def test_many_curves_share_a_budget(comparison, monkeypatch):
    monkeypatch.setattr(curves, "FEWEST_POINTS", 3)
    monkeypatch.setattr(curves, "BUDGET", 1)
    payload = curves_payload(comparison.rows)
    assert payload["points"] == 3
    assert named(payload, 0, "loss")[0] == [2, 10, 20]


def test_a_damaged_file_costs_only_its_curve(comparison, sweep):
    (sweep / "1" / "metrics.jsonl").write_text("{\n{}\n")
    payload = curves_payload(comparison.rows)
    assert len(named(payload, 0, "loss")) == 2  # one seed is left
