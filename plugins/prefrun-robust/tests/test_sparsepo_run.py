"""SparsePO's own training loop: whole runs of a tiny model."""

from __future__ import annotations

import json
import os
import signal

import pytest
import torch
from safetensors.torch import load_file

from prefrun.cli import main
from prefrun_robust.sparsepo import state
from prefrun_robust.sparsepo.masks import MaskHead
from prefrun_robust.sparsepo.training import MaskedTraining

LIVE = ("algo.initial_mask=1.0",)
ALGO = ("algo=sparsepo", "algo.initial_mask=1.0", "algo.mask_dropout=0.3")


def weights(run):
    return load_file(run / "model" / "model.safetensors")


def lines(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_a_resumed_run_gives_the_same_numbers(train, monkeypatch):
    whole = train("whole", *ALGO)
    save = state.save

    def stop_after_two(run, step, *rest):
        save(run, step, *rest)
        raise KeyboardInterrupt

    monkeypatch.setattr(state, "save", stop_after_two)
    train("cut", *ALGO, code=130)
    monkeypatch.setattr(state, "save", save)
    cut = whole.parent / "cut"
    assert [line["step"] for line in lines(cut)] == [2]
    assert main(["resume", str(cut)]) == 0
    assert lines(cut) == lines(whole)
    for name, value in weights(whole).items():
        assert torch.equal(value, weights(cut)[name]), name


def test_sigterm_saves_the_step_it_falls_into(train, monkeypatch):
    words = (*ALGO, "trainer.logging_steps=1", "trainer.checkpoint_steps=50")
    whole, step = train("whole", *words), MaskedTraining._step

    def terminated(self, number, *rest):
        if number == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        step(self, number, *rest)

    monkeypatch.setattr(MaskedTraining, "_step", terminated)
    cut = train("cut", *words, code=143)
    monkeypatch.setattr(MaskedTraining, "_step", step)
    assert [path.name for path in (cut / "checkpoints").iterdir()] == ["checkpoint-2"]
    assert main(["resume", str(cut)]) == 0
    assert lines(cut) == lines(whole)


def test_parts_of_a_step_change_no_result(train):
    words = (*ALGO, "algo.mask_dropout=0.0", "trainer.learning_rate=1e-3")
    whole, parts = train("whole", *words), train("parts", *words, "trainer.micro_batch_tokens=40")
    for one, other in zip(lines(whole), lines(parts), strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-4)
    for name, value in weights(whole).items():
        torch.testing.assert_close(value, weights(parts)[name], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("variant", ["independent", "mapo", "ones"])
def test_every_variant_learns_and_tells_its_sparsity(train, variant):
    run = train("run", "algo=sparsepo", f"algo.variant={variant}", "trainer.max_steps=12", *LIVE)
    logged = lines(run)
    assert logged[-1]["loss"] < logged[0]["loss"]
    summary = json.loads((run / "summary.json").read_text())["metrics"]
    assert {"mask_auroc", "mask_sparsity_reward", "mask_sparsity_kl"} <= summary.keys()
    report = (run / "report.md").read_text()
    assert "## Token masks" in report
    assert (run / "plots/sparsepo-masks.png").stat().st_size > 5000
    if variant == "ones":
        assert summary["mask_sparsity_reward"]["after"] == 0
        assert summary["mask_auroc"]["after"] == 0.5


def test_masks_are_trained_with_their_own_rate(train, monkeypatch):
    seen = []
    monkeypatch.setattr(
        MaskedTraining, "_restore", lambda self, optimizer, schedule: seen.append(optimizer) or 0
    )
    train("run", *ALGO, "algo.mask_learning_rate=0.5", "algo.mask_weight_decay=0.2")
    model, masks = seen[0].param_groups
    assert (model["initial_lr"], masks["initial_lr"]) == (1e-2, 0.5)
    assert (model["weight_decay"], masks["weight_decay"]) == (0.0, 0.2)


def test_an_adapter_is_trained_against_the_bare_model(train):
    run = train("run", *ALGO, "model.lora.rank=2", "trainer.max_steps=12")
    logged = lines(run)
    assert logged[0]["loss"] < 0.75
    assert logged[-1]["loss"] < logged[0]["loss"]


def test_masks_that_are_dead_at_birth_are_refused(train, monkeypatch, capsys):
    def die(self, *arguments):
        torch.nn.Module.__init__(self)
        self.kind, self.join = "simple", None
        self.norm, self.dropout = torch.nn.Identity(), torch.nn.Identity()
        self.heads = torch.nn.ModuleList([torch.nn.Linear(16, 1)])
        torch.nn.init.constant_(self.heads[0].bias, -100.0)

    monkeypatch.setattr(MaskHead, "__init__", die)
    train("run", "algo=sparsepo", code=1)
    assert "algo.initial_mask=1" in capsys.readouterr().err


def test_only_the_last_checkpoints_are_kept(train):
    run = train("run", *ALGO, "trainer.keep_checkpoints=1")
    assert [each.name for each in (run / "checkpoints").iterdir()] == ["checkpoint-4"]


def test_trainer_settings_without_meaning_are_refused(train, capsys):
    train("run", *ALGO, "trainer.gradient_checkpointing=true", code=2)
    assert "gradient_checkpointing" in capsys.readouterr().err
