"""The formula and what the algorithm makes of a batch, against numpy."""

import numpy as np
import pytest
import torch

from prefrun import ConfigError
from prefrun.testing import make_batch
from prefrun_example.algo import Dpop
from prefrun_example.config import DpopConfig
from prefrun_example.loss import dpop_losses


def log_sigmoid(z):
    return -np.logaddexp(0.0, -z)


def by_numpy(batch, beta, penalty):
    """The mean over the batch's pairs, each weighted as its tree, with two plain loops."""
    ratios = batch.log_ratios.numpy()
    total = weight = 0.0
    for tree, count in enumerate(batch.weights.tolist()):
        there = np.flatnonzero(batch.branch_mask[tree])
        for i in there:
            for j in there:
                if batch.scores[tree, i] > batch.scores[tree, j]:
                    lost = max(0.0, -ratios[tree, i])
                    margin = ratios[tree, i] - ratios[tree, j] - penalty * lost
                    total -= count * log_sigmoid(beta * margin)
                    weight += count
    return total / weight


@pytest.mark.parametrize("penalty", [0.0, 5.0, 50.0])
def test_the_loss_of_a_batch_is_the_formulas(penalty):
    batch = make_batch(trees=5, branches=4)
    loss = Dpop(DpopConfig(beta=0.3, penalty=penalty)).loss(batch).loss
    assert loss.item() == pytest.approx(by_numpy(batch, 0.3, penalty), rel=1e-9)


def test_without_penalty_it_is_dpo():
    ratios = torch.tensor([[0.5, -2.0]])
    loss = dpop_losses(ratios, beta=0.1, penalty=0.0)[0, 0, 1]
    assert loss.item() == pytest.approx(-log_sigmoid(0.1 * 2.5))


def test_a_chosen_answer_that_falls_costs_more_though_the_margin_grows():
    start, fallen = torch.tensor([[0.0, 0.0]]), torch.tensor([[-1.0, -3.0]])
    with_penalty = [dpop_losses(h, 0.1, 5.0)[0, 0, 1] for h in (start, fallen)]
    dpo = [dpop_losses(h, 0.1, 0.0)[0, 0, 1] for h in (start, fallen)]
    assert with_penalty[1] > with_penalty[0]
    assert dpo[1] < dpo[0]


def test_metrics_count_the_pairs():
    metrics = Dpop(DpopConfig()).loss(make_batch(trees=1, branches=2, ragged=False)).metrics
    assert metrics["chosen_fell"].item() == float(metrics["log_ratio/chosen"] < 0)


@pytest.mark.parametrize("keys", [{"beta": 0.0}, {"penalty": -1.0}, {"penalty": float("inf")}])
def test_settings_out_of_range_are_refused_by_name(keys):
    with pytest.raises(ConfigError, match=f"algo.{next(iter(keys))}="):
        DpopConfig(**keys)
