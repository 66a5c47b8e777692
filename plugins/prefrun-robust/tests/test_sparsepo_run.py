"""SparsePO's steps: whole runs of a tiny model."""

from __future__ import annotations

import json
import os
import signal

import pytest
import torch
from safetensors.torch import load_file

from prefrun.cli import main
from prefrun_robust.sparsepo.masks import MaskHead
from prefrun_robust.sparsepo.training import MaskedTraining

LIVE = ("algo.initial_mask=1.0",)
ALGO = ("algo=sparsepo", "algo.initial_mask=1.0", "algo.mask_dropout=0.3")


def weights(run):
    return load_file(run / "model" / "model.safetensors")


def lines(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def stop_at(monkeypatch, number, stop):
    """Call STOP as step NUMBER begins; return what undoes that."""
    step = MaskedTraining.step

    def stopping(self, now):
        if now == number:
            stop()
        return step(self, now)

    monkeypatch.setattr(MaskedTraining, "step", stopping)
    return lambda: monkeypatch.setattr(MaskedTraining, "step", step)


def interrupt():
    raise KeyboardInterrupt


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_resumed_run_gives_the_same_numbers(train, monkeypatch):
    whole = train("whole", *ALGO)
    repair = stop_at(monkeypatch, 3, interrupt)
    cut = train("cut", *ALGO, code=130)
    repair()
    assert [line["step"] for line in lines(cut)] == [2]
    assert main(["resume", str(cut)]) == 0
    assert lines(cut) == lines(whole)
    for name, value in weights(whole).items():
        assert torch.equal(value, weights(cut)[name]), name


def test_sigterm_saves_the_step_it_falls_into(train, monkeypatch):
    words = (*ALGO, "trainer.logging_steps=1", "trainer.checkpoint_steps=50")
    whole, repair = train("whole", *words), stop_at(monkeypatch, 1, terminate)
    cut = train("cut", *words, code=143)
    repair()
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


def optimizer_of(run):
    return torch.load(run / "checkpoints/checkpoint-4/optimizer.pt", weights_only=True)


def test_masks_are_trained_with_their_own_rate_and_decay(train):
    run = train("run", *ALGO, "algo.mask_learning_rate=0.5", "algo.mask_weight_decay=0.2")
    groups = optimizer_of(run)["param_groups"]
    assert {group["initial_lr"] for group in groups} == {1e-2, 0.5}
    assert {group["weight_decay"] for group in groups if group["initial_lr"] == 1e-2} == {0.0}
    masks = [group["weight_decay"] for group in groups if group["initial_lr"] == 0.5]
    assert sorted(masks) == [0.0, 0.2]  # biases and norms have none


def test_the_trainer_s_optimizer_and_schedule_train(train):
    words = ("trainer.optimizer=adafactor", "trainer.lr_scheduler=constant_with_warmup")
    run = train("run", *ALGO, *words, "trainer.warmup_steps=2", "trainer.logging_steps=1")
    states = optimizer_of(run)["state"].values()
    assert any("exp_avg_sq_row" in state for state in states)
    assert [line["learning_rate"] for line in lines(run)] == [0.0, 0.005, 0.01, 0.01]


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


def test_activations_may_be_computed_again(train, monkeypatch):
    whole, loss, seen = train("whole", *ALGO), MaskedTraining._loss, []

    def watched(self, examples):
        seen.append(self.loaded.model.is_activation_checkpointing)
        return loss(self, examples)

    monkeypatch.setattr(MaskedTraining, "_loss", watched)
    again = train("again", *ALGO, "trainer.gradient_checkpointing=true")
    assert seen
    assert all(seen)
    for one, other in zip(lines(whole), lines(again), strict=True):
        assert one == pytest.approx(other, rel=1e-4, abs=1e-6)


def test_tokens_are_counted(train):
    summary = json.loads((train("run", *ALGO) / "summary.json").read_text())
    assert summary["cost"]["tokens"] > 0
