"""Whole runs of algo=simulpl: three phases, baselines, a cut run that goes on, a comparison."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from prefrun.cli import main

WORDS = [
    "algo=simulpl",
    "data=multi30k",
    "data.max_records=40",
    "model.hidden_size=16",
    "model.layers=1",
    "model.heads=2",
    "algo.supervised.steps=4",
    "algo.supervised.batch_tokens=600",
    "algo.preference.steps=4",
    "algo.preference.batch_size=8",
    "evaluator.simt.thresholds=[0.3,0.7]",
    "evaluator.simt.wait_k=[2]",
    "evaluator.simt.max_tokens=12",
    "evaluation.bootstrap=10",
    "trainer.checkpoint_steps=3",
    "trainer.logging_steps=1",
]


def prefrun(monkeypatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["prefrun", *words])
    assert not main()


def lines(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture
def finished(monkeypatch, tmp_path) -> Path:
    prefrun(monkeypatch, *WORDS, f"output_dir={tmp_path / 'whole'}")
    return tmp_path / "whole"


def test_a_run_goes_through_three_phases(finished) -> None:
    logged = lines(finished)
    assert [line["step"] for line in logged] == list(range(1, 9))
    assert all("supervised/loss" in line for line in logged[:4])
    assert all("preference/rewards/margins" in line for line in logged[4:])
    pairs = (finished / "simulpl" / "pairs.jsonl").read_text().splitlines()
    assert len(pairs) == 40
    summary = json.loads((finished / "summary.json").read_text())
    assert {"BLEU", "AL", "LAAL", "accuracy"} <= set(summary["metrics"])
    report = (finished / "report.md").read_text()
    assert "## Quality and latency" in report
    supervised = load_file(finished / "simulpl" / "supervised" / "model.safetensors")
    after = load_file(finished / "model" / "model.safetensors")
    assert any((supervised[name] != after[name]).any() for name in after)
    assert (supervised["confidence.weight"] != after["confidence.weight"]).any()


@pytest.mark.parametrize("cut", [2, 4, 7])
def test_a_cut_run_goes_on_to_the_same_weights(monkeypatch, finished, tmp_path, cut) -> None:
    run = tmp_path / "cut"
    step = torch.optim.AdamW.step
    calls = []

    def breaking(self, *arguments):
        calls.append(None)
        if len(calls) == cut:
            raise KeyboardInterrupt
        return step(self, *arguments)

    monkeypatch.setattr(torch.optim.AdamW, "step", breaking)
    monkeypatch.setattr(sys, "argv", ["prefrun", *WORDS, f"output_dir={run}"])
    with pytest.raises(BaseException):  # noqa: B017, PT011 - what Ctrl-C becomes is the host's
        assert not main()
    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    prefrun(monkeypatch, "resume", str(run))
    one, other = (load_file(path / "model" / "model.safetensors") for path in (finished, run))
    assert all((one[name] == other[name]).all() for name in one)
    assert lines(run) == lines(finished)


def test_sigterm_saves_the_step_it_falls_into(monkeypatch, finished, tmp_path) -> None:
    run = tmp_path / "cut"
    step = torch.optim.AdamW.step
    calls = []

    def terminated(self, *arguments):
        calls.append(None)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self, *arguments)

    monkeypatch.setattr(torch.optim.AdamW, "step", terminated)
    assert main([*WORDS, "trainer.checkpoint_steps=50", f"output_dir={run}"]) == 143
    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    assert [str(path.relative_to(run)) for path in run.glob("checkpoints/*/*")] == [
        "checkpoints/supervised/checkpoint-2"
    ]
    prefrun(monkeypatch, "resume", str(run))
    assert lines(run) == lines(finished)


DIES = """
import os, signal, sys
import torch
from prefrun.cli import main

step, left = torch.optim.AdamW.step, [int(sys.argv[1])]

def dying(self, *arguments):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, *arguments)

torch.optim.AdamW.step = dying
sys.exit(main(sys.argv[2:]))
"""


def test_a_killed_run_goes_on_though_one_checkpoint_is_kept(monkeypatch, finished, tmp_path):
    """Those of phase 1 are gone in phase 3, which needs its end for the reference."""
    run = tmp_path / "killed"
    words = [*WORDS, "trainer.checkpoint_steps=2", "trainer.keep_checkpoints=1"]
    command = [sys.executable, "-c", DIES, "8", *words, f"output_dir={run}"]
    assert subprocess.run(command, capture_output=True).returncode == -signal.SIGKILL
    assert [path.parent.name for path in run.glob("checkpoints/*/*")] == ["preference"]
    prefrun(monkeypatch, "resume", str(run))
    one, other = (load_file(path / "model" / "model.safetensors") for path in (finished, run))
    assert all((one[name] == other[name]).all() for name in one)
    assert lines(run) == lines(finished)


def test_activations_computed_again_change_no_loss(monkeypatch, finished, tmp_path) -> None:
    run = tmp_path / "again"
    prefrun(monkeypatch, *WORDS, "trainer.gradient_checkpointing=true", f"output_dir={run}")
    losses, again = ([line["loss"] for line in lines(path)] for path in (finished, run))
    assert again == pytest.approx(losses)


@pytest.mark.parametrize("policy", ["wait_k", "full_sentence"])
def test_baselines_have_one_phase(monkeypatch, tmp_path, policy) -> None:
    run = tmp_path / policy
    prefrun(monkeypatch, *WORDS, f"algo.policy={policy}", "algo.k=3", f"output_dir={run}")
    assert len(lines(run)) == 4
    assert not (run / "simulpl" / "pairs.jsonl").exists()
    offset = json.loads((run / "summary.json").read_text())["metrics"]["StartOffset"]
    assert offset["after"] == (3 if policy == "wait_k" else 8)


def test_a_trained_model_is_taken_up(monkeypatch, finished, tmp_path) -> None:
    words = [f"model.path={finished / 'simulpl' / 'supervised'}", "algo.supervised.steps=0"]
    prefrun(monkeypatch, *WORDS, *words, f"output_dir={tmp_path / 'more'}")
    assert [line["step"] for line in lines(tmp_path / "more")] == [1, 2, 3, 4]
    one, other = (
        load_file(path / "model" / "model.safetensors") for path in (finished, tmp_path / "more")
    )
    assert all((one[name] == other[name]).all() for name in one)


def test_the_regulariser_is_logged(monkeypatch, tmp_path) -> None:
    words = ["algo.preference.expected_latency=0.5", "algo.preference.latency=lagging"]
    prefrun(monkeypatch, *WORDS, *words, f"output_dir={tmp_path / 'run'}")
    last = lines(tmp_path / "run")[-1]
    assert 0 < last["preference/expected_proportion"] <= 1
    assert last["preference/latency/chosen"] == pytest.approx(1 / 8)


def test_a_sweep_compares_curves_at_equal_latency(monkeypatch, tmp_path) -> None:
    words = ["algo.preference.eta=0,1", "seed=1,2", f"output_dir={tmp_path / 'sweep'}"]
    prefrun(monkeypatch, "-m", *WORDS, *words)
    text = (tmp_path / "sweep" / "comparison.md").read_text()
    assert "## Quality at equal latency" in text
    assert "eta=0" in text
    assert (tmp_path / "sweep" / "comparison-quality-and-latency.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("word", "named"),
    [
        ("algo.preference.beta=0", "algo.preference.beta"),
        ("algo.k=0", "algo.k"),
        ("algo.supervised.label_smoothing=1", "algo.supervised.label_smoothing"),
        ("algo.pairs.wait_k=[0]", "algo.pairs.wait_k"),
        ("model=hf", "model.name"),
    ],
)
def test_a_wrong_key_is_named_before_anything_is_written(
    monkeypatch, tmp_path, capsys, word, named
) -> None:
    run = tmp_path / "run"
    words = [each for each in WORDS if not each.startswith("model.")]
    monkeypatch.setattr(sys, "argv", ["prefrun", *words, word, f"output_dir={run}"])
    with pytest.raises(SystemExit):
        sys.exit(main())
    shown = capsys.readouterr()
    assert named in shown.out + shown.err
    assert not (run / "manifest.json").exists()
