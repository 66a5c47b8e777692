"""Whole runs: the command, from configuration to report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SMALL = ("data=topics", "data.train_records=60", "data.test_records=20", "evaluation.bootstrap=20")


def run(folder, *words):
    environment = {**os.environ, "PREFRUN_CACHE": str(folder / "cache"), "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-m", "prefrun", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    return done, done.stdout + done.stderr


@pytest.mark.slow
def test_a_sweep_without_language_model_compares_seeds(tmp_path):
    words = ("-m", "algo=orchestrator", *SMALL, "algo.epochs=20", "seed=1,2", "output_dir=sweep")
    done, said = run(tmp_path, *words)
    assert done.returncode == 0, said
    first = tmp_path / "sweep" / "0"
    summary = json.loads((first / "summary.json").read_text())
    metrics = {name: change["after"] for name, change in summary["metrics"].items()}
    assert summary["model"] == "none"
    assert metrics["regret/adapter"] < metrics["regret/uniform"]
    assert metrics["regret/best_static"] < metrics["regret/uniform"] + 0.05
    assert (first / "orchestrator" / "adapter" / "adapter.safetensors").exists()
    report = (first / "report.md").read_text()
    assert "## Weights of the objectives" in report
    for picture in ("orchestrator-front.png", "orchestrator-classes.png"):
        assert f"(plots/{picture})" in report
        assert (first / "plots" / picture).read_bytes().startswith(b"\x89PNG")
    comparison = (tmp_path / "sweep" / "comparison.md").read_text()
    assert "## Regret of weights" in comparison
    reused, said = run(
        tmp_path,
        *("algo=orchestrator", *SMALL, "seed=1", "output_dir=again"),
        "algo.adapter=sweep/0/orchestrator/adapter",
    )
    assert reused.returncode == 0, said
    again = json.loads((tmp_path / "again" / "summary.json").read_text())["metrics"]
    assert again["weights/kl"] == summary["metrics"]["weights/kl"]


@pytest.mark.slow
def test_a_conditioned_language_model_is_trained_and_a_run_resumes(language_model, tmp_path):
    words = (
        *("algo=orchestrator", "algo.stage2=conditioned", "algo.epochs=1"),
        *("model=hf", f"model.name={language_model}"),
        *("trainer.max_steps=2", "trainer.batch_size=4", "trainer.checkpoint_steps=1"),
        *("evaluation.max_new_tokens=4", "evaluation.max_records=4"),
    )
    done, said = run(tmp_path, *words, *SMALL, "output_dir=one")
    assert done.returncode == 0, said
    summary = json.loads((tmp_path / "one" / "summary.json").read_text())
    assert summary["metrics"]["kl"]["after"] > 0
    assert summary["steps"] == 2
    tear(tmp_path / "one")
    done, said = run(tmp_path, "resume", "one")
    assert done.returncode == 0, said
    again = json.loads((tmp_path / "one" / "summary.json").read_text())
    assert again["metrics"] == summary["metrics"]


def tear(folder: Path) -> None:
    """Leave the run as an interruption after its training would."""
    for name in ("summary.json", "evaluation_after.json"):
        (folder / name).unlink()
    status = json.loads((folder / "status.json").read_text())
    (folder / "status.json").write_text(json.dumps({**status, "status": "interrupted"}))
