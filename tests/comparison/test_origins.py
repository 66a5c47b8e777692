"""A row never mixes models, files, data or code without saying so."""

from __future__ import annotations

import json

from prefrun.comparison.compare import compare
from prefrun.comparison.files import to_csv, to_markdown
from prefrun.comparison.latex import to_latex
from prefrun.comparison.page.table import table_payload

A, B = "a" * 40, "b" * 40


def model(weights: str, path: str = "/m"):
    return {"inputs": {"model.name": {"path": path, "weights": weights}}}


def code(loss: str, torch: str = "2.13.0"):
    packages = {"prefrun": "p" * 64, "prefrun_loss": loss * 64}
    return {
        "code": {"fingerprint": loss, "packages": packages, "libraries": {"torch": torch}},
    }


def rows(comparison):
    return {row.label: [run.seed for run in row.runs] for row in comparison.rows}


def test_runs_of_an_overwritten_model_are_rows_of_their_own_in_every_writer(result, tmp_path):
    runs = [
        result({"kl": 1.0}, seed=1, manifest=model(A)),
        result({"kl": 1.0}, seed=2, manifest=model(A)),
        result({"kl": 9.0}, seed=2, manifest=model(B)),
        result({"kl": 9.0}, seed=3, manifest=model(B)),
    ]
    comparison = compare(runs)
    assert sorted(rows(comparison).values()) == [[1, 2], [2, 3]]
    assert [row.cells["kl"].mean for row in comparison.rows] == [1.0, 9.0]
    first, second = rows(comparison)
    assert first.startswith("algo=lipo model.name@")
    assert second.startswith("algo=lipo model.name@")
    (warning,) = comparison.warnings
    assert "model.name was not the same in all runs of one configuration" in warning
    assert all(str(run.path) in warning for run in runs)
    for text in (to_markdown(comparison, tmp_path), to_latex(comparison)):
        assert "Warning" in text
        assert "model.name was not the same" in text
    assert first in to_csv(comparison)
    assert second in to_csv(comparison)
    assert table_payload(comparison, tmp_path)["warnings"] == [warning]


def test_the_same_model_at_another_place_is_the_same_row(result):
    runs = [
        result({"kl": 1.0}, seed=1, manifest=model(A, "/m"), model__name="/m"),
        result({"kl": 1.0}, seed=2, manifest=model(A, "/n"), model__name="/n"),
    ]
    assert rows(compare(runs)) == {"algo=lipo": [1, 2]}
    assert compare(runs).warnings == ()


def test_a_start_model_that_changed_has_no_value_before_training(result):
    before = {"kl": 0.5}
    runs = [
        result({"kl": 1.0}, seed=1, before=before, manifest=model(A)),
        result({"kl": 1.0}, seed=2, before=before, manifest=model(B)),
    ]
    assert compare(runs[:1]).before == before
    assert compare(runs).before == {}


def test_runs_of_an_older_prefrun_are_told_apart_by_their_weights(result):
    hf = {"components": {"algo": "lipo", "data": "hh", "model": "hf", "reward": "data"}}
    runs = [
        result({"kl": 1.0}, seed=seed, manifest={**hf, "model": {"fingerprint": mark}})
        for seed, mark in ((1, A), (2, B))
    ]
    assert len(rows(compare(runs))) == 2


def test_data_from_a_file_that_changed_between_seeds_are_rows_of_their_own(result):
    runs = [
        result({"kl": 1.0}, seed=1, fingerprint="1" * 16, data__path="/d.jsonl"),
        result({"kl": 1.0}, seed=2, fingerprint="2" * 16, data__path="/d.jsonl"),
    ]
    comparison = compare(runs)
    assert len(comparison.rows) == 2
    assert any("different data" in warning for warning in comparison.warnings)
    assert any("data was not the same" in warning for warning in comparison.warnings)


def test_data_that_each_seed_draws_share_a_row(result):
    runs = [
        result({"kl": 1.0}, seed=1, fingerprint="1" * 16),
        result({"kl": 1.0}, seed=2, fingerprint="2" * 16),
    ]
    assert rows(compare(runs)) == {"algo=lipo": [1, 2]}
    assert compare(runs).warnings == ()


def test_other_code_and_other_libraries_are_named(result):
    runs = [
        result({"kl": 1.0}, seed=1, manifest=code("1")),
        result({"kl": 1.0}, seed=2, manifest=code("2")),
        result({"kl": 1.0}, seed=3, manifest=code("2", "2.12.0")),
    ]
    comparison = compare(runs)
    assert rows(comparison) == {"algo=lipo": [1, 2, 3]}
    (warning,) = comparison.warnings
    assert "prefrun_loss (11111111 in" in warning
    assert "library torch (2.13.0 in" in warning
    assert "prefrun (" not in warning


def test_other_code_of_older_runs_is_named_by_row(result):
    runs = [
        result({"kl": 1.0}, seed=seed, manifest={"code": {"fingerprint": mark}})
        for seed, mark in ((1, "one"), (2, "two"))
    ]
    (warning,) = compare(runs).warnings
    assert "algo=lipo has runs of different code (one in" in warning


def test_a_seed_that_other_code_ran_again_says_so(result):
    runs = [
        result({"kl": 1.0}, seed=1, manifest={"code": {"fingerprint": mark}})
        for mark in ("one", "two")
    ]
    (warning,) = compare(runs).warnings
    assert f"{runs[1].path} is used, {runs[0].path} (made by other code) is not" in warning


def test_another_number_format_is_named(result):
    runs = [
        result({"kl": 1.0}, seed=seed, manifest={"model": {"dtype": dtype}})
        for seed, dtype in ((1, "float32"), (2, "bfloat16"))
    ]
    (warning,) = compare(runs).warnings
    assert "algo=lipo has runs in different number formats (float32 in" in warning


def test_a_run_that_was_resumed_with_changes_is_named(result):
    resumed = {"resumed": [{"changed": []}, {"changed": ["model.name=/m: weights: 1 -> 2"]}]}
    run = result({"kl": 1.0}, manifest=resumed)
    (warning,) = compare([run]).warnings
    assert warning == (
        f"{run.path} was resumed with other inputs than it began with: "
        "model.name=/m: weights: 1 -> 2"
    )


def test_what_is_compared_is_plain_json(result):
    run = result({"kl": 1.0}, manifest=model(A))
    assert json.dumps(dict(run.origin.contents))
