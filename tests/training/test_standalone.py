"""A training outside a run: what it learns, what it leaves alone, what it refuses."""

from __future__ import annotations

import os
import random

import numpy
import pytest
import torch
from torch import nn

from prefrun.algorithm import LossOutput, Term
from prefrun.schema import TrainerConfig
from prefrun.training.finite import NonFiniteError
from prefrun.training.standalone import optimise_alone
from prefrun.training.step_loop import MicroBatch, StepLoop


class Line(StepLoop):
    """Learns y = 2 x."""

    steps = 40
    rate_key = "PEAK"
    schedule = staticmethod(lambda step: 0.2 * (1 - step / 40))

    def __init__(self, factor: float = 1.0) -> None:
        torch.manual_seed(0)
        self.line = nn.Linear(1, 1)
        self.modules, self.factor, self.heard = {"line": self.line}, factor, []

    def step(self, number):
        x = torch.linspace(-1, 1, 8)[:, None]

        def loss():
            errors = (self.line(x) - 2 * x).square().mean(-1) * self.factor
            return LossOutput({"square": Term(errors, torch.ones(8))})

        return [MicroBatch(loss)]

    def step_done(self, number, sums):
        self.heard.append(number)


def drawn():
    return random.random(), float(numpy.random.rand()), torch.rand(1).item()


def test_modules_are_trained_and_every_step_is_told():
    line, shown = Line(), []
    optimise_alone(line, TrainerConfig(), show=lambda *steps: shown.append(steps))
    assert line.line.weight.item() == pytest.approx(2.0, abs=0.3)
    assert not line.line.training
    assert line.heard == list(range(40))
    assert shown == [(step, 40) for step in range(1, 41)]


def test_random_numbers_go_on_as_without_it():
    random.seed(1), numpy.random.seed(1), torch.manual_seed(1)
    expected = drawn()
    line = Line()
    random.seed(1), numpy.random.seed(1), torch.manual_seed(1)
    optimise_alone(line, TrainerConfig(), seed=7)
    assert drawn() == expected


def test_one_process_of_a_job_trains_alone(monkeypatch):
    job = {"LOCAL_RANK": "1", "RANK": "1", "WORLD_SIZE": "2"}
    for name, value in job.items():
        monkeypatch.setenv(name, value)
    line = Line()
    optimise_alone(line, TrainerConfig())
    assert line.line.weight.item() == pytest.approx(2.0, abs=0.3)
    assert {name: os.environ[name] for name in job} == job


def test_a_loss_that_is_not_finite_is_refused():
    with pytest.raises(NonFiniteError, match=r"step 1; there is no .*\n  remedy: lower PEAK$"):
        optimise_alone(Line(factor=float("nan")), TrainerConfig())
