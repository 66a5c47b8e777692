"""Finding runs in folders, and what is read of each."""

from __future__ import annotations

import json

import pytest

from prefrun.comparison.runs import load_runs
from prefrun.errors import ConfigError


def names(runs):
    return [run.path.name for run in runs]


def test_a_sweep_folder_holds_its_jobs_in_order(make_run, tmp_path):
    for number in (10, 2, 0, 1):
        make_run(f"sweep/{number}", {"kl": 1.0}, seed=number)
    (tmp_path / "sweep" / "comparison.md").write_text("")
    (tmp_path / "sweep" / ".hidden").mkdir()
    runs = load_runs([tmp_path / "sweep"])
    assert names(runs) == ["0", "1", "2", "10"]
    assert [run.seed for run in runs] == [0, 1, 2, 10]


def test_runs_and_sweeps_mix_and_count_once(make_run, tmp_path):
    make_run("sweep/0", {"kl": 1.0})
    make_run("sweep/1", {"kl": 1.0})
    alone = make_run("alone", {"kl": 1.0})
    runs = load_runs([tmp_path / "sweep" / "1", alone, tmp_path / "sweep", str(alone)])
    assert names(runs) == ["1", "alone", "0"]


def test_what_is_read_of_a_run(make_run):
    path = make_run(
        "one",
        {"win_rate": 0.7, "kl": 2.0},
        before={"win_rate": 0.5},
        intervals={"win_rate": (0.6, 0.8)},
        per_record={"win_rate": [1.0, None, 0.5]},
        fingerprint="abc",
        seed=4,
    )
    (run,) = load_runs([path])
    assert run.unfinished is None
    assert (run.seed, run.fingerprint) == (4, "abc")
    assert run.before == {"win_rate": 0.5}
    assert run.after == {"win_rate": 0.7, "kl": 2.0}
    assert run.intervals == {"win_rate": (0.6, 0.8)}
    assert run.directions == {"win_rate": "max", "kl": "none"}
    assert run.per_record == {"win_rate": [1.0, None, 0.5]}
    assert run.choices["algo"] == "lipo"
    assert run.config["trainer"]["learning_rate"] == 0.001


def test_a_failed_run_comes_with_its_reason(make_run):
    (run,) = load_runs([make_run("bad", None, error="boom")])
    assert run.unfinished == "failed at step 40 of 100: RuntimeError: boom"


@pytest.mark.parametrize("name", ["summary.json", "config.yaml", "manifest.json", "status.json"])
@pytest.mark.parametrize("text", [None, "{"])
def test_a_damaged_run_does_not_stop_the_others(make_run, tmp_path, name, text):
    make_run("sweep/0", {"kl": 1.0})
    damaged = make_run("sweep/1", {"kl": 1.0}) / name
    damaged.unlink()
    if text is not None:
        damaged.write_text(text)
    good, bad = load_runs([tmp_path / "sweep"])
    assert good.unfinished is None
    assert bad.unfinished.startswith("cannot be read: ")
    assert name in bad.unfinished


def test_a_run_cut_before_its_first_status_is_unfinished(tmp_path):
    (tmp_path / "config.yaml").write_text("seed: 1\n")
    (run,) = load_runs([tmp_path])
    assert "status.json" in run.unfinished


def test_folders_without_runs_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="holds no run"):
        load_runs([tmp_path])
    with pytest.raises(ConfigError, match="no such folder"):
        load_runs([tmp_path / "nothing"])


def test_runs_whose_models_left_out_records_have_other_data(make_run):
    path = make_run("one", {"kl": 2.0}, fingerprint="abc")
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["data"]["used_fingerprint"] = "abc without record 3"
    (path / "manifest.json").write_text(json.dumps(manifest))
    assert load_runs([path])[0].fingerprint == "abc without record 3"
