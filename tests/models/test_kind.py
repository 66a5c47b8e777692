"""A model of a kind of its own: what is drawn at random in a step, and a reference that sees it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import ClassVar

import pytest
import torch

from prefrun.algorithm import LossAlgorithm, LossOutput, Term
from prefrun.errors import ConfigError
from prefrun.models.kind import EncodedBranches, ModelKind, Reference
from prefrun.needs import check_given, given_by
from prefrun.policy.collate import Example
from prefrun.policy.policy import BranchLogps
from prefrun.schema import TrainerConfig
from prefrun.testing import make_trees
from prefrun.training.arguments import training_arguments
from prefrun.training.dataset import ExampleDataset
from prefrun.training.trainer import PreferenceTrainer


class Denoiser(ModelKind):
    """Scores a branch, a number, by how well noise of a step is predicted from it."""

    reference: ClassVar[Reference] = Reference.in_step

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.module = torch.nn.Linear(2, 1)
        self.frozen = torch.nn.Linear(2, 1)
        self.frozen.load_state_dict(self.module.state_dict())
        self.name, self.fingerprint = "denoiser", "0"
        self.draws: list[float] = []

    def encode(self, trees):
        return [EncodedBranches(t.id, tuple(float(len(b.text)) for b in t.branches)) for t in trees]

    def collate(self, encoded):
        return {"given": torch.tensor([x for each in encoded for x in each.inputs]) / 50}

    def draw(self, batch, generator):
        noise = torch.randn((), generator=generator)
        self.draws.append(float(noise))
        return {"noise": noise}

    def forward(self, model, batch, needs):
        return self._numbers(model, batch), {}

    def reference_forward(self, batch):
        return self._numbers(self.frozen, batch)

    def _numbers(self, model, batch):
        noise = batch["noise"]
        rows = torch.stack([batch["given"], batch["given"] * 0 + noise], -1)
        values = -0.5 * (model(rows).squeeze(-1) - noise) ** 2
        flat = torch.zeros(batch["token_mask"].numel()).index_copy(0, batch["slot"], values)
        return flat.view(batch["token_mask"].shape)

    def save(self, folder):
        folder.mkdir()


class Dpo(LossAlgorithm):
    """DPO of the first answer against the others; remembers its log-ratios."""

    def loss(self, batch):
        ratios = batch.log_ratios
        self.seen = ratios.detach()
        values = -torch.nn.functional.logsigmoid(5 * (ratios[:, :1] - ratios[:, 1:]))
        values = values * batch.branch_mask[:, 1:]
        return LossOutput({"dpo": Term(values.sum(-1), batch.branch_mask.sum(-1).float())})


class Coupled(Dpo):
    """The same, said to need the whole batch: its passes go through gradient caching."""

    batch_coupled = True


def train(tmp_path, algorithm=Dpo, budget=100, steps=4, resume=None, name="run"):
    kind, trees = Denoiser(), make_trees(4, 3)
    zero = BranchLogps((torch.zeros(1),) * 3)
    examples = [
        Example.of(t, e, "overall", zero) for t, e in zip(trees, kind.encode(trees), strict=True)
    ]
    config = TrainerConfig(
        max_steps=steps, batch_size=2, learning_rate=0.05, logging_steps=1, checkpoint_steps=2
    )
    trainer = PreferenceTrainer(
        kind=kind,
        algorithm=algorithm(None),
        budget=budget,
        args=training_arguments(config, tmp_path / name, 0, "cpu"),
        train_dataset=ExampleDataset(examples),
    )
    trainer.train(resume_from_checkpoint=resume)
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    return kind, trainer, losses


def test_policy_and_reference_see_one_draw(tmp_path):
    kind, trainer, losses = train(tmp_path, steps=1)
    assert torch.count_nonzero(trainer.algorithm.seen) == 0
    assert losses == [pytest.approx(2 * 0.6931472, abs=1e-6)]
    assert len(kind.draws) == 1


def test_each_step_draws_anew_and_a_resumed_training_the_same(tmp_path):
    kind, _, losses = train(tmp_path, name="whole")
    assert len(set(kind.draws)) == 4
    again, _, resumed = train(
        tmp_path, name="whole", resume=str(tmp_path / "whole" / "checkpoint-2")
    )
    assert again.draws == kind.draws[2:]
    assert resumed == losses
    assert torch.equal(again.module.weight, kind.module.weight)


def test_both_passes_of_gradient_caching_see_one_draw(tmp_path):
    """Of passes of one tree each, in which each has a draw of its own, either way."""
    plain, _, losses = train(tmp_path, budget=3, name="plain")
    cached, _, found = train(tmp_path, Coupled, budget=3, name="cached")
    assert cached.draws == plain.draws
    assert found == pytest.approx(losses, rel=1e-5)
    torch.testing.assert_close(cached.module.weight, plain.module.weight)


def test_a_pair_that_does_not_fit_names_both():
    source = SimpleNamespace(gives=Denoiser.gives)
    check_given({"reference"}, given_by(source), "dpo", "denoiser")
    with pytest.raises(ConfigError, match=r"algo=orpo needs what model=denoiser .*normalised"):
        check_given({"normalised"}, given_by(source), "orpo", "denoiser")
    check_given({"normalised", "hidden"}, given_by(object()), "orpo", "hf")
