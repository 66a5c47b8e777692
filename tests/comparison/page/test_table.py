"""What the page's table holds."""

from __future__ import annotations

from prefrun.comparison.page.table import table_payload


def test_a_row_has_cells_tests_costs_and_runs(comparison, sweep):
    payload = table_payload(comparison, sweep)
    metrics = [name for name, *_ in payload["metrics"]]
    label, cells, costs, front, runs = payload["rows"][1]
    assert label == comparison.rows[1].label
    mean, error, n, best, tests = cells[metrics.index("reward")]
    assert (mean, error, n, best) == (0.83, 0.01, 2, 1)
    unit, pairs, difference = tests[0][:3]
    assert (unit, pairs, difference) == ("seeds", 2, 0.115)
    assert len(tests[0]) == 8
    assert [name for name, _ in payload["costs"]] == ["seconds", "tokens"]
    assert costs == [51.5, 2000000]
    assert metrics.index("reward") in front
    assert runs[0][:3] == [1, "3", "./3/"]
    assert runs[0][3][metrics.index("reward")] == 0.82


def test_a_lacking_metric_is_null(comparison, sweep):
    payload = table_payload(comparison, sweep)
    kl = [name for name, *_ in payload["metrics"]].index("kl")
    assert payload["rows"][2][1][kl] is None


def test_unfinished_runs_have_their_reason(comparison, sweep):
    ((name, link, reason),) = table_payload(comparison, sweep)["unfinished"]
    assert (name, link) == ("6", "./6/")
    assert "boom" in reason


def test_runs_outside_the_folder_have_no_link(comparison, sweep, tmp_path):
    run = table_payload(comparison, tmp_path / "elsewhere")["rows"][0][4][0]
    assert run[1:3] == [str(sweep / "1"), None]
