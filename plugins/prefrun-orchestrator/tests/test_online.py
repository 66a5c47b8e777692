"""stage2=online: whole runs raise the weighted reward, under the keys of the trainer."""

from __future__ import annotations

import json
import os
import signal

import pytest
import torch
from safetensors.torch import load_file

from prefrun.cli import main
from prefrun.training import session
from prefrun_orchestrator import online
from prefrun_orchestrator.online import OnlineTraining


@pytest.fixture
def train(language_model, judged_topics, tmp_path, monkeypatch):
    """Run `prefrun` into a folder named by the first word; return it. CODE: what is expected."""
    monkeypatch.setenv("PREFRUN_CACHE", str(tmp_path / "cache"))
    small = (
        *("algo=orchestrator", "algo.stage2=online", "algo.weights=[1,0]", "algo.kl_coef=0.0"),
        *("data=topics", "data.train_records=6", "data.test_records=2", "data.objectives=2"),
        *("model=hf", f"model.name={language_model}", "evaluator=[kl]"),
        *("evaluation.max_new_tokens=6", "evaluation.bootstrap=20", "trainer.max_steps=4"),
        *("trainer.batch_size=4", "trainer.learning_rate=1e-2", "trainer.logging_steps=1"),
        "trainer.checkpoint_steps=2",
    )

    def run(name, *words, code=0):
        assert main((*small, f"output_dir={tmp_path / name}", *words)) == code
        return tmp_path / name

    return run


def lines(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def weights(run):
    return load_file(run / "model" / "model.safetensors")


LONG = ("trainer.max_steps=15", "trainer.lr_scheduler=constant", "trainer.checkpoint_steps=0")


@pytest.mark.parametrize("place", [0, 1])
def test_the_objective_with_the_weight_rises(train, place):
    found = lines(train("run", *LONG, f"algo.weights=[{1 - place},{place}]"))
    means = [row[f"online/r{place + 1}"] for row in found]
    assert sum(means[-3:]) / 3 > sum(means[:3]) / 3 + 0.15
    assert found[0]["online/kl"] == pytest.approx(0.0, abs=1e-6)
    assert found[-1]["online/kl"] > 0


def test_a_strong_kl_keeps_the_policy_at_the_start(train):
    free, held = train("free", *LONG), train("held", *LONG, "algo.kl_coef=5.0")
    assert lines(held)[-1]["online/kl"] < lines(free)[-1]["online/kl"]


def test_small_micro_batches_change_no_result(train):
    one = lines(train("one"))
    for tokens in (1, 90):
        parts = lines(train(f"parts-{tokens}", f"trainer.micro_batch_tokens={tokens}"))
        for row, other in zip(one, parts, strict=True):
            assert row == pytest.approx(other, abs=1e-4)


def test_it_goes_on_from_its_last_checkpoint(train, monkeypatch):
    whole, judged, calls = train("whole"), online.judged, []

    def failing(*arguments):
        calls.append(arguments)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return judged(*arguments)

    monkeypatch.setattr(online, "judged", failing)
    cut = train("cut", code=130)
    monkeypatch.setattr(online, "judged", judged)
    assert [line["step"] for line in lines(cut)] == [1, 2, 3]
    assert main(["resume", str(cut)]) == 0
    assert lines(cut) == lines(whole)
    for name, value in weights(whole).items():
        assert torch.equal(value, weights(cut)[name]), name


def test_a_signal_saves_the_step_it_falls_into(train, monkeypatch):
    whole, step = train("whole"), OnlineTraining.step

    def terminated(self, number):
        if number == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self, number)

    monkeypatch.setattr(OnlineTraining, "step", terminated)
    cut = train("cut", code=143)
    monkeypatch.setattr(OnlineTraining, "step", step)
    assert (cut / "checkpoints/checkpoint-3").is_dir()
    assert main(["resume", str(cut)]) == 0
    assert lines(cut) == lines(whole)


def test_the_trainer_s_optimizer_trains(train):
    run = train("run", "trainer.optimizer=adafactor")
    states = torch.load(run / "checkpoints/checkpoint-4/optimizer.pt", weights_only=True)["state"]
    assert any("exp_avg_sq_row" in state for state in states.values())


def test_schedule_warm_up_and_logging_are_the_trainer_s(train):
    words = ("trainer.lr_scheduler=constant_with_warmup", "trainer.warmup_steps=2")
    found = lines(train("run", *words))
    assert [line["learning_rate"] for line in found] == [0.0, 0.005, 0.01, 0.01]
    rare = lines(train("rare", "trainer.logging_steps=4", "trainer.checkpoint_steps=0"))
    assert [line["step"] for line in rare] == [4]


def test_long_gradients_are_clipped(train):
    words = ("trainer.optimizer=sgd", "trainer.max_steps=1")
    free = weights(train("free", *words, "trainer.max_grad_norm=0"))
    held = weights(train("held", *words, "trainer.max_grad_norm=1e-9"))
    start = weights(train("start", *words, "trainer.learning_rate=1e-30"))
    assert any(not torch.equal(value, start[name]) for name, value in free.items())
    for name, value in held.items():
        assert torch.equal(value, start[name]), name


def test_hooks_hear_of_the_checkpoints_that_are_kept(train, monkeypatch):
    heard, notify = [], session.notify

    def hearing(hook, run, **values):
        if hook == "prefrun_checkpoint_written":
            heard.append((values["step"], values["path"].is_dir()))
        notify(hook, run, **values)

    monkeypatch.setattr(session, "notify", hearing)
    words = ("trainer.checkpoint_steps=1", "trainer.keep_checkpoints=1")
    run = train("run", "algo.weights=[]", *words)
    assert heard == [(step, True) for step in (1, 2, 3, 4)]
    kept = (run / "checkpoints").rglob("checkpoint-*")
    assert [path.name for path in kept] == ["checkpoint-4"]


def test_activations_may_be_computed_again(train, monkeypatch):
    whole, loss, seen = train("whole"), OnlineTraining._loss, []

    def watched(self, *arguments):
        seen.append(self.modules["model"].is_activation_checkpointing)
        return loss(self, *arguments)

    monkeypatch.setattr(OnlineTraining, "_loss", watched)
    again = train("again", "trainer.gradient_checkpointing=true")
    assert seen
    assert all(seen)
    for row, other in zip(lines(whole), lines(again), strict=True):
        assert row == pytest.approx(other, abs=1e-4)


def test_tokens_are_counted(train):
    run = train("run")
    assert json.loads((run / "summary.json").read_text())["cost"]["tokens"] > 0


@pytest.mark.parametrize("key", ["compile", "gradient_checkpointing"])
def test_an_adapter_alone_refuses_what_it_cannot_honour(key, tmp_path, capsys):
    words = ("algo=orchestrator", "data=topics", "data.train_records=6", "data.test_records=2")
    assert main((*words, f"output_dir={tmp_path / 'run'}", f"trainer.{key}=true")) == 2
    assert f"trainer.{key}" in capsys.readouterr().err
