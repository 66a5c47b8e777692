"""Rows, cells, the best, warnings."""

from __future__ import annotations

import random
from math import sqrt

import pytest

from prefrun.comparison.compare import compare
from prefrun.errors import ConfigError


def best(comparison, metric):
    return [row.label for row in comparison.rows if row.cells[metric].best]


def test_cells_hold_mean_error_and_number_of_seeds(result):
    runs = [result({"win_rate": value}, seed=seed) for seed, value in enumerate((0.5, 0.6, 0.8))]
    (row,) = compare(runs).rows
    cell = row.cells["win_rate"]
    mean = 1.9 / 3
    variance = sum((value - mean) ** 2 for value in (0.5, 0.6, 0.8)) / 2
    assert cell.mean == pytest.approx(mean)
    assert cell.error == pytest.approx(sqrt(variance / 3))
    assert (cell.n, cell.interval, cell.tests) == (3, None, {})


def test_one_seed_has_its_interval_and_no_error(result):
    run = result({"win_rate": 0.6}, intervals={"win_rate": (0.5, 0.7)}, before={"win_rate": 0.5})
    cell = compare([run]).rows[0].cells["win_rate"]
    assert (cell.error, cell.interval, cell.before) == (None, (0.5, 0.7), 0.5)
    assert cell.best is False


def test_rows_come_in_order_of_first_appearance(result):
    runs = [
        result({"kl": 1.0}, algo=algo, seed=s) for algo, s in [("dpo", 1), ("lipo", 1), ("dpo", 2)]
    ]
    assert [row.label for row in compare(runs).rows] == ["algo=dpo", "algo=lipo"]


def test_the_best_follows_the_direction(result):
    runs = [
        result({"win_rate": 0.7, "loss": 3.0, "kl": 1.0}),
        result({"win_rate": 0.6, "loss": 2.0, "kl": 2.0}, algo="dpo"),
    ]
    comparison = compare(runs)
    assert best(comparison, "win_rate") == ["algo=lipo"]
    assert best(comparison, "loss") == ["algo=dpo"]
    assert best(comparison, "kl") == []


def test_all_ties_are_best(result):
    rates = (0.001, 0.01, 0.1)
    values = (0.1 + 0.2, 0.3, 0.2)
    runs = [
        result({"win_rate": value}, trainer__learning_rate=rate)
        for value, rate in zip(values, rates, strict=True)
    ]
    assert best(compare(runs), "win_rate") == [
        "trainer.learning_rate=0.001",
        "trainer.learning_rate=0.01",
    ]


def test_a_metric_one_configuration_lacks_is_left_out_there(result):
    runs = [result({"kl": 1.0}), result({"kl": 2.0, "win_rate": 0.7}, algo="dpo")]
    comparison = compare(runs)
    assert comparison.metrics == ("kl", "win_rate")
    assert set(comparison.rows[0].cells) == {"kl"}
    assert comparison.rows[1].cells["win_rate"].tests == {}
    assert comparison.rows[1].cells["win_rate"].best is False


def test_a_metric_one_seed_lacks_is_averaged_over_the_others(result):
    runs = [
        result({"kl": 1.0, "win_rate": 0.5}, seed=1),
        result({"kl": 3.0, "win_rate": 0.7}, seed=2),
        result({"kl": 2.0}, seed=3),
    ]
    (row,) = compare(runs).rows
    assert (row.cells["kl"].n, row.cells["win_rate"].n) == (3, 2)
    assert row.cells["win_rate"].mean == pytest.approx(0.6)


@pytest.mark.parametrize("baseline", [None, "algo.beta=0.1"])
def test_every_row_is_tested_against_the_first_or_the_one_asked_for(result, baseline):
    runs = [
        result({"win_rate": 0.5 + seed / 100 + shift * seed}, algo__beta=beta, seed=seed)
        for beta, shift in [(0.1, 0.0), (0.2, 0.01), (0.3, 0.0)]
        for seed in (1, 2, 3)
    ]
    comparison = compare(runs, baseline)
    first, second, third = comparison.rows
    assert comparison.baseline == first.label
    assert first.cells["win_rate"].tests == {}
    assert second.cells["win_rate"].tests["seeds"].difference == pytest.approx(0.02)
    assert third.cells["win_rate"].tests["seeds"].p == 1.0
    other = compare(runs, "algo.beta=0.2").rows
    assert other[1].cells["win_rate"].tests == {}
    assert other[0].cells["win_rate"].tests["seeds"].difference == pytest.approx(-0.02)


@pytest.mark.parametrize("shuffle", range(3))
def test_the_order_of_the_runs_changes_no_number(result, shuffle):
    generator = random.Random(0)
    runs = [
        result(
            {"win_rate": generator.random()},
            per_record={"win_rate": [generator.random() for _ in range(20)]},
            algo__beta=beta,
            seed=seed,
            cost={"seconds": generator.random()},
        )
        for beta in (0.1, 0.2, 0.3)
        for seed in range(7)  # enough for quantiles to move
    ]
    first = compare(runs)
    known = {row.label: (row.cells, row.costs, row.pareto) for row in first.rows}
    random.Random(shuffle).shuffle(runs)
    other = compare(runs, first.baseline)
    assert {row.label: (row.cells, row.costs, row.pareto) for row in other.rows} == known
    assert other.selected == first.selected


def test_a_baseline_that_is_none_is_refused(result):
    runs = [
        result({"kl": 1.0}, algo__beta=0.1, seed=1),
        result({"kl": 1.0}, algo__beta=0.2, seed=1),
    ]
    with pytest.raises(ConfigError, match="'algo=x' names no configurations, not one") as caught:
        compare(runs, "algo=x")
    assert "algo.beta=0.1; algo.beta=0.2" in str(caught.value)


def test_unfinished_runs_stand_apart(result):
    comparison = compare([result(None), result({"kl": 1.0}), result(None, error="second")])
    assert len(comparison.rows) == 1
    assert [run.unfinished.rpartition(" ")[2] for run in comparison.unfinished] == [
        "finite",
        "second",
    ]


def test_no_finished_run_gives_an_empty_table(result):
    comparison = compare([result(None)])
    assert (comparison.rows, comparison.metrics, comparison.warnings) == ((), (), ())
    assert len(comparison.unfinished) == 1


def test_different_data_give_a_warning(result):
    runs = [
        result({"kl": 1.0}, seed=seed, algo=algo, fingerprint=f)
        for algo, seed, f in [("lipo", 1, "aa"), ("lipo", 2, "bb"), ("dpo", 2, "aa")]
    ]
    (warning,) = compare(runs).warnings
    assert "aa in 2 runs, bb in 1 runs" in warning
    assert compare(runs).before == {}
    assert compare(runs[::2]).warnings == ()


def test_data_that_each_seed_draws_for_all_alike_can_be_compared(result):
    runs = [
        result({"kl": 1.0}, before={"kl": 0.5}, seed=seed, algo=algo, fingerprint=f)
        for algo in ("lipo", "dpo")
        for seed, f in [(1, "aa"), (2, "bb")]
    ]
    assert compare(runs).warnings == ()
    assert compare(runs).before == {"kl": 0.5}


def test_a_seed_that_ran_twice_counts_once(result):
    runs = [result({"kl": value}, seed=seed) for seed, value in [(1, 5.0), (2, 2.0), (1, 4.0)]]
    comparison = compare(runs)
    cell = comparison.rows[0].cells["kl"]
    assert (cell.n, cell.mean) == (2, 3.0)
    (warning,) = comparison.warnings
    assert str(runs[0].path) in warning
    assert str(runs[2].path) in warning


def test_before_training_is_shown_only_for_a_common_start(result):
    same = [
        result({"kl": 1.0}, before={"kl": 0.5}),
        result({"kl": 1.0}, before={"kl": 0.1}, algo="dpo"),
    ]
    assert compare(same).before == {"kl": pytest.approx(0.3)}
    other = result({"kl": 1.0}, before={"kl": 0.0}, model__name="larger")
    assert compare([*same, other]).before == {}
