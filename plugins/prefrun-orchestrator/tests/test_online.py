"""stage2=online: the loop raises the weighted reward, and goes on after a crash."""

from __future__ import annotations

import os
import signal
from copy import deepcopy
from types import SimpleNamespace

import pytest
import torch

from prefrun import signals
from prefrun.policy.model_policy import ModelPolicy
from prefrun.policy.packing import PLAIN
from prefrun.policy.policy import LoadedModel
from prefrun.policy.tokenise import Tokeniser
from prefrun.records.tree import PreferenceTree
from prefrun.schema import EvaluationConfig, TrainerConfig
from prefrun_orchestrator.online import OnlineSettings, OnlineTraining
from prefrun_orchestrator.prompt_weights import PromptWeights
from prefrun_orchestrator.weights import Statistics

NAMES = ("low", "high")
POOL = Statistics.of(torch.tensor([[0.0, 0.0], [1.0, 1.0]], dtype=torch.float64))


class Halves:
    """Shares of an answer's characters before "O" and from "O" on, among the printable ones."""

    name = "halves"
    objectives = NAMES

    def score(self, trees, responses):
        return [sum(row) for row in self.score_objectives(trees, responses)]

    def score_objectives(self, trees, responses):
        low = [sum(c < "O" for c in text) / max(1, len(text)) for text in responses]
        return [(share, 1 - share) for share in low]


class Stand:
    """What the loop asks of the host."""

    def __init__(self, model, tokenizer, folder, **trainer):
        self.lines = []
        self.run = SimpleNamespace(seed=0, output_dir=folder)
        keys = {"max_steps": 15, "batch_size": 4, "learning_rate": 0.01, "logging_steps": 1}
        self.config = SimpleNamespace(
            trainer=TrainerConfig(**{**keys, "lr_scheduler": "constant", **trainer}),
            evaluation=EvaluationConfig(max_new_tokens=6),
        )
        self.loaded = LoadedModel(model, tokenizer, "small", "0")
        self._start = LoadedModel(deepcopy(model), tokenizer, "small", "0")
        self.data = SimpleNamespace(train=[PreferenceTree(f"t{i}", f"Go {i}") for i in range(6)])

    def policy(self):
        return self._of(self.loaded)

    def reference(self):
        return self._of(self._start)

    def _of(self, loaded):
        return ModelPolicy(loaded, Tokeniser(loaded.tokenizer, 64), 32, PLAIN, 4096)

    def step_done(self, step, steps):
        assert 0 <= step <= steps

    def log(self, step, metrics):
        self.lines.append((step, metrics))


def train(stand, folder, weights=(1.0, 0.0), kl_coef=0.0):
    own = PromptWeights(NAMES, "none", POOL, given=weights)
    settings = OnlineSettings(4, "grpo", kl_coef)
    OnlineTraining(stand, Halves(), own, settings, folder / "online.pt").run()
    return stand.lines


@pytest.mark.parametrize("place", [0, 1])
def test_the_objective_with_the_weight_rises(place, llama, tokenizer, tmp_path):
    weights = [1.0 - place, float(place)]
    lines = train(Stand(llama, tokenizer, tmp_path), tmp_path, weights)
    means = [row[f"online/{NAMES[place]}"] for _, row in lines]
    assert sum(means[-3:]) / 3 > sum(means[:3]) / 3 + 0.15
    assert lines[0][1]["online/kl"] == pytest.approx(0.0, abs=1e-6)
    assert lines[-1][1]["online/kl"] > 0


def test_a_strong_kl_keeps_the_policy_at_the_start(llama, tokenizer, tmp_path):
    free = train(Stand(deepcopy(llama), tokenizer, tmp_path), tmp_path / "a")
    held = train(Stand(llama, tokenizer, tmp_path), tmp_path / "b", kl_coef=5.0)
    assert held[-1][1]["online/kl"] < free[-1][1]["online/kl"]


def test_it_goes_on_from_its_last_state(llama, tokenizer, tmp_path):
    whole = Stand(deepcopy(llama), tokenizer, tmp_path, max_steps=4, checkpoint_steps=2)
    train(whole, tmp_path / "whole")
    cut = Stand(deepcopy(llama), tokenizer, tmp_path, max_steps=4, checkpoint_steps=2)
    cut.log = fail_at(3, cut.log)
    with pytest.raises(RuntimeError):
        train(cut, tmp_path / "cut")
    again = Stand(llama, tokenizer, tmp_path, max_steps=4, checkpoint_steps=2)
    train(again, tmp_path / "cut")
    assert [step for step, _ in again.lines] == [1, 2, 3, 4]
    for (_, one), (_, other) in zip(whole.lines, again.lines, strict=True):
        assert one == pytest.approx(other, abs=1e-5)


def test_a_signal_saves_the_step_it_falls_into(llama, tokenizer, tmp_path):
    cut = Stand(deepcopy(llama), tokenizer, tmp_path, max_steps=4, checkpoint_steps=50)
    log = cut.log

    def terminated(step, metrics):
        if step == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        log(step, metrics)

    cut.log = terminated
    signals.forget()
    with pytest.raises(signals.Stopped):
        train(cut, tmp_path / "cut")
    signals.forget()
    again = Stand(llama, tokenizer, tmp_path, max_steps=4, checkpoint_steps=50)
    train(again, tmp_path / "cut")
    assert again.lines[:2] == cut.lines
    assert [step for step, _ in again.lines] == [1, 2, 3, 4]


def fail_at(number, log):
    def failing(step, metrics):
        if step == number:
            raise RuntimeError("a crash")
        log(step, metrics)

    return failing


def test_small_micro_batches_change_no_result(llama, tokenizer, tmp_path):
    one = train(Stand(deepcopy(llama), tokenizer, tmp_path, max_steps=2), tmp_path / "a")
    many = Stand(llama, tokenizer, tmp_path, max_steps=2, micro_batch_tokens=1)
    for (_, row), (_, other) in zip(one, train(many, tmp_path / "b"), strict=True):
        assert row == pytest.approx(other, abs=1e-4)
