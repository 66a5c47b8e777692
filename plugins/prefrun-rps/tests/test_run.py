"""Whole runs: the command, from configuration to report, with a small model."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from prefrun.plugins import components
from prefrun.testing.component import PROPERTIES, ComponentSubject
from prefrun.testing.suite import Suite, settle

SMALL = (
    "data=control_codes",
    "data.train_records=12",
    "data.test_prompts=2",
    "data.test_angles=[0,30,60]",
    "evaluation.max_new_tokens=12",
    "evaluation.bootstrap=50",
)


def run(folder, *words):
    environment = {**os.environ, "PREFRUN_CACHE": str(folder / "cache"), "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, "-m", "prefrun", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def model(llama, tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    llama.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return f"model.name={folder}"


@pytest.mark.parametrize("name", ["rps", "rps_simulation"])
def test_components_conform(name):
    settle(Suite(ComponentSubject(components()["algo", name]), PROPERTIES))


def test_a_run_is_finished_reported_and_resumable(model, tmp_path):
    words = ("algo=rps", "algo.k=3", "model=hf", model, *SMALL)
    done = run(tmp_path, *words, "output_dir=one")
    assert done.returncode == 0, done.stderr + done.stdout
    summary = json.loads((tmp_path / "one" / "summary.json").read_text())
    assert {"rps_win_rate", "rps_gain", "reward", "response_length"} <= set(summary["metrics"])
    assert "## RPS against best-of-n by direction" in (tmp_path / "one" / "report.md").read_text()
    pools = (tmp_path / "one" / "rps" / "candidates.jsonl").read_text()
    assert len(pools.splitlines()) == 2 * 6
    assert not (tmp_path / "one" / "model").exists()
    _tear(tmp_path / "one")
    again = run(tmp_path, "resume", "one")
    assert again.returncode == 0, again.stderr + again.stdout
    assert (tmp_path / "one" / "rps" / "candidates.jsonl").read_text() == pools
    metrics = json.loads((tmp_path / "one" / "summary.json").read_text())["metrics"]
    assert metrics == summary["metrics"]


def _tear(folder):
    """Leave the run as a kill in the middle of writing the candidates would."""
    path = folder / "rps" / "candidates.jsonl"
    path.write_bytes(path.read_bytes()[:-40])
    for name in ("summary.json", "evaluation_after.json"):
        (folder / name).unlink()
    status = json.loads((folder / "status.json").read_text())
    (folder / "status.json").write_text(json.dumps({**status, "status": "interrupted"}))


def test_the_simulation_needs_no_model(tmp_path):
    words = ("algo=rps_simulation", "algo.trials=200", *SMALL)
    done = run(tmp_path, "-m", *words, "seed=1,2", "output_dir=sweep")
    assert done.returncode == 0, done.stderr + done.stdout
    comparison = (tmp_path / "sweep" / "comparison.md").read_text()
    assert "## RPS against best-of-n by direction, simulated" in comparison
    assert (tmp_path / "sweep" / "comparison-rps-simulation.png").exists()
    summary = json.loads((tmp_path / "sweep" / "0" / "summary.json").read_text())
    assert summary["metrics"]["win_rate/30"]["after"] > 0.5
    assert summary["model"] == "none"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("algo.theta_max=180",), "algo.theta_max=180"),
        (("+algo.preference.kindness=1",), "'kindness' is no objective"),
        (("+algo.preference.length=0",), "zero vector"),
        (("algo.objectives=[length]", "algo.angle_deg=3"), "needs 2 objectives"),
        (("algo.clip=true", "+algo.preference.length=-1"), "algo.clip=true leaves nothing"),
    ],
)
def test_what_is_wrong_is_said_before_a_model_is_loaded(words, message, tmp_path, model):
    done = run(tmp_path, "algo=rps", "model=hf", model, *SMALL, *words, "output_dir=bad")
    assert done.returncode == 2
    assert message in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "bad").exists()
