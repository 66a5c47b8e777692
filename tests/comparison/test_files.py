"""comparison.md, comparison.csv, comparison.png."""

from __future__ import annotations

import csv
import io

import pytest

from prefrun.comparison.compare import compare
from prefrun.comparison.files import to_csv, to_markdown, write_comparison
from prefrun.comparison.runs import load_runs


@pytest.fixture
def sweep(make_run, tmp_path):
    values = {"lipo": (0.70, 0.72, 0.77), "dpo": (0.60, 0.66, 0.66)}
    jobs = [(algo, seed, value) for algo, row in values.items() for seed, value in enumerate(row)]
    for number, (algo, seed, value) in enumerate(jobs):
        make_run(
            f"sweep/{number}",
            {"win_rate": value, "kl": 2.0},
            before={"win_rate": 0.5, "kl": 0.0},
            algo=algo,
            seed=seed,
            cost={"seconds": 30.0 + number, "tokens": 12000},
        )
    make_run("sweep/6", None, algo="dpo", seed=3, error="boom")
    return tmp_path / "sweep"


def test_the_three_files_are_written(sweep):
    paths = write_comparison(compare(load_runs([sweep])), sweep)
    kinds = ("md", "csv", "tex", "png")
    names = [f"comparison.{kind}" for kind in kinds]
    assert [path.name for path in paths] == [*names, "report.html"]
    assert (sweep / "comparison.png").read_bytes().startswith(b"\x89PNG")
    assert "(comparison.png)" in (sweep / "comparison.md").read_text()


def test_the_markdown_marks_the_best_and_names_the_test(sweep):
    text = to_markdown(compare(load_runs([sweep])), sweep)
    assert "| algo=lipo | 3 | **0.730 ± 0.021** | 2.000 ± 0.000 |" in text
    assert "| algo=dpo | 3 | 0.640 ± 0.020 | 2.000 ± 0.000 |" in text
    assert "| (before training) |  | 0.500 | 0.000 |" in text
    row = "| algo=dpo | win_rate | 3 seeds | -0.090 | -0.110 to -0.060 | 0.250 | 0.250 | -3.40 |"
    assert row in text
    assert "| algo=dpo | kl | 3 seeds | +0.000 | +0.000 to +0.000 | 1.000 | 1.000 | - |" in text
    assert "| algo=lipo | 31.00 | 12000 | win_rate |" in text
    assert "paired over 3 seeds" in text
    assert "- algo=lipo: seed 0 in `0`, seed 1 in `1`, seed 2 in `2`" in text
    assert "- `6`: failed at step 40 of 100: RuntimeError: boom" in text


def test_the_csv_has_a_line_per_configuration(sweep):
    lipo, dpo = csv.DictReader(io.StringIO(to_csv(compare(load_runs([sweep])))))
    assert (lipo["configuration"], lipo["seeds"]) == ("algo=lipo", "0 1 2")
    assert float(lipo["win_rate"]) == pytest.approx(0.73)
    assert float(lipo["win_rate_se"]) == pytest.approx(0.0208, abs=1e-4)
    assert (lipo["win_rate_best"], dpo["win_rate_best"]) == ("1", "0")
    assert lipo["win_rate_seeds_p"] == ""
    assert float(dpo["win_rate_seeds_p"]) == 0.25  # two of the eight ways to flip three signs
    assert float(dpo["win_rate_seeds_difference"]) == pytest.approx(-0.09)
    assert (dpo["win_rate_seeds_n"], dpo["win_rate_prompts_n"]) == ("3", "")
    assert (lipo["win_rate_pareto"], dpo["win_rate_pareto"]) == ("1", "0")
    assert (lipo["cost_tokens"], lipo["cost_gpu_seconds"]) == ("12000.0", "")
    assert float(dpo["win_rate_before"]) == 0.5


def test_a_lacking_metric_leaves_its_place_empty(result, tmp_path):
    comparison = compare([result({"kl": 1.0}), result({"win_rate": 0.5}, algo="dpo")])
    first, second = csv.DictReader(io.StringIO(to_csv(comparison)))
    assert (first["win_rate"], first["win_rate_n"]) == ("", "0")
    assert second["kl"] == ""
    assert "| algo=lipo | 1 | 1.000 | - |" in to_markdown(comparison, tmp_path)
    assert write_comparison(comparison, tmp_path)[-1].is_file()


def test_a_cell_with_fewer_seeds_says_so(result, tmp_path):
    runs = [result({"kl": 1.0, "reward": 1.0}, seed=1), result({"kl": 2.0}, seed=2)]
    assert "| algo=lipo | 2 | 1.500 ± 0.500 | 1.000, n = 1 |" in to_markdown(
        compare(runs), tmp_path
    )


def test_one_seed_shows_its_interval(result, tmp_path):
    runs = [
        result({"win_rate": 0.7}, intervals={"win_rate": (0.6, 0.8)}),
        result({"win_rate": 0.6}, intervals={"win_rate": (0.5, 0.7)}, algo="dpo"),
    ]
    text = to_markdown(compare(runs), tmp_path)
    assert "| algo=lipo | 1 | **0.700** (0.600 to 0.800) |" in text
    assert "95 % interval over prompts" in text
    assert "standard error" not in text


def test_different_units_are_named_in_each_cell(result, tmp_path):
    runs = [
        result({"reward": 0.1 * seed, "kl": 1.0}, algo=algo, seed=seed, per_record=records)
        for algo, records in [("lipo", {"kl": [1.0, 2.0]}), ("dpo", {"kl": [1.0, 4.0]})]
        for seed in (1,)
    ]
    runs += [result({"reward": 0.1}, algo=algo, seed=2) for algo in ("lipo", "dpo")]
    text = to_markdown(compare(runs), tmp_path)
    assert (
        "| algo=dpo | kl | 2 prompts | +1.000 | +0.000 to +2.000 | 1.000 | 1.000 | 0.71 |" in text
    )
    assert "| algo=dpo | reward | 2 seeds | +0.000 |" in text
    assert "paired over 2 prompts or 2 seeds" in text


def test_a_warning_stands_above_the_table(result, tmp_path):
    runs = [result({"kl": 1.0}, fingerprint="a"), result({"kl": 1.0}, algo="dpo", fingerprint="b")]
    text = to_markdown(compare(runs), tmp_path)
    assert text.index("> **Warning:** the runs used different data") < text.index("| configuration")


def test_without_a_finished_run_there_is_no_picture(result, tmp_path):
    paths = write_comparison(compare([result(None, error="boom")]), tmp_path)
    names = ["comparison.md", "comparison.csv", "comparison.tex", "report.html"]
    assert [path.name for path in paths] == names
    assert "No run has finished" in paths[0].read_text()
    assert "boom" in paths[0].read_text()
