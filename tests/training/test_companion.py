"""A method's own parameters and state are trained, summed and saved with the policy."""

from __future__ import annotations

import pytest
import torch

from prefrun.algorithm import LossOutput, Term
from prefrun.policy.packing import PLAIN
from tests.training.test_trainer import PACKED, BestVsRest, examples, losses, train, weights

__all__ = ["examples", "train"]


class Head(torch.nn.Module):
    """A linear score of the first step, and a count of the pairs seen."""

    def __init__(self, width):
        super().__init__()
        self.score = torch.nn.Linear(width, 1)
        self.register_buffer("seen", torch.zeros(2))


class Scored(BestVsRest):
    """Tells the best answer by its embedding, beside a preference loss."""

    needs = frozenset({"reference", "step_embeddings"})

    def make_module(self, hidden_size):
        torch.manual_seed(0)
        return Head(hidden_size)

    def loss(self, batch):
        base = super().loss(batch)
        best = (batch.ranks == 1).float()
        logits = self.module.score(batch.step_embeddings[:, :, 0]).squeeze(-1)
        found = torch.nn.functional.binary_cross_entropy_with_logits(logits, best, reduction="none")
        values = (found * batch.branch_mask).sum(-1)
        counts = torch.stack([batch.branch_mask.sum(), torch.tensor(len(batch.ids))])
        return LossOutput(
            {**base.terms, "found": Term(values, batch.branch_mask.sum(-1).float())},
            sums={"counts": counts},
        )

    def step_done(self, sums):
        self.module.seen += sums["counts"]


class FasterHead(Scored):
    module_learning_rate = 0.5


def head(trainer):
    return trainer.algorithm.module


def start(trainer):
    torch.manual_seed(0)
    return Head(trainer.companion.hidden_size)


def test_the_module_is_trained_with_the_policy_and_sums_span_the_step(train):
    trainer = train(algorithm=Scored, max_steps=2, batch_size=8)
    assert not torch.allclose(head(trainer).score.weight, start(trainer).score.weight)
    assert head(trainer).seen.tolist() == [2 * 28, 2 * 8]


@pytest.mark.parametrize("packing", [PLAIN, PACKED], ids=["plain", "packed"])
@pytest.mark.parametrize("tokens", [1, 60, 250])
def test_passes_of_any_size_give_the_same_module(train, tokens, packing):
    settings = {"algorithm": Scored, "learning_rate": 1e-3}
    whole = train("whole", **settings)
    parts = train("parts", packing, micro_batch_tokens=tokens, **settings)
    assert losses(parts) == pytest.approx(losses(whole), rel=1e-4)
    for name, value in head(whole).state_dict().items():
        torch.testing.assert_close(head(parts).state_dict()[name], value, atol=1e-4, rtol=1e-3)


def test_the_module_has_a_learning_rate_of_its_own(train):
    def moved(trainer):
        change = head(trainer).score.weight.detach() - start(trainer).score.weight.detach()
        return float(change.abs().mean())

    slow, fast = (train(a.__name__, algorithm=a, max_steps=1) for a in (Scored, FasterHead))
    assert moved(fast) == pytest.approx(50 * moved(slow), rel=0.05)
    assert torch.equal(weights(fast), weights(slow))


def test_a_resumed_training_has_module_and_optimizer_back(train, tmp_path):
    whole = train("whole", algorithm=Scored, checkpoint_steps=2)
    resumed = train("whole", algorithm=Scored, resume=str(tmp_path / "whole" / "checkpoint-2"))
    for name, value in head(whole).state_dict().items():
        assert torch.equal(head(resumed).state_dict()[name], value)
    assert torch.equal(weights(resumed), weights(whole))


class Remembers(BestVsRest):
    """Keeps the ids of each step."""

    def loss(self, batch):
        if torch.is_grad_enabled():
            self.steps = [*getattr(self, "steps", []), batch.ids]
        return super().loss(batch)


def test_an_order_is_followed_and_resumed(train, examples, tmp_path):
    order = [7, 0, 0, 3, 1, 2, 6, 6]
    expected = [examples[number].encoded.id for number in order]
    trainer = train(algorithm=Remembers, order=order, batch_size=2, checkpoint_steps=2)
    assert [sorted(ids) for ids in trainer.algorithm.steps] == [
        sorted(expected[start : start + 2]) for start in range(0, 8, 2)
    ]
    last = tmp_path / "run" / "checkpoint-2"
    resumed = train(algorithm=Remembers, order=order, batch_size=2, resume=str(last))
    assert resumed.algorithm.steps == trainer.algorithm.steps[2:]
    assert torch.equal(weights(resumed), weights(trainer))
