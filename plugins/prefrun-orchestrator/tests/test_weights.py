"""Normalisation, targets, the adapter's loss and the weighted sum."""

from __future__ import annotations

import math

import pytest
import torch

from prefrun_orchestrator.weights import (
    Statistics,
    adapter_loss,
    best_and_worst,
    entropy,
    log_target_weights,
    normalise,
    raised,
    scalarise,
    simplex_grid,
)


def doubles(values):
    return torch.tensor(values, dtype=torch.float64)


POOL = Statistics.of(doubles([[1.0, 5.0, 10.0], [3.0, 5.0, 30.0]]))


def test_zscores_use_the_population_and_a_constant_objective_is_neutral():
    rewards = normalise(doubles([[3.0, 5.0, 20.0]]), "zscore", POOL)
    assert rewards.tolist() == [[1.0, 0.0, 0.0]]
    assert log_target_weights(doubles([[0.0, 0.0, 0.0]]), 0.1).exp()[0, 1] == pytest.approx(1 / 3)


def test_minmax_spans_zero_to_one():
    assert normalise(doubles([1.0, 5.0, 30.0]), "minmax", POOL).tolist() == [0.0, 0.0, 1.0]


def test_an_unknown_normalisation_is_refused():
    with pytest.raises(ValueError, match="zscore"):
        normalise(doubles([[1.0, 1.0, 1.0]]), "rank", POOL)


def test_one_objective_has_weight_one_and_no_loss():
    logits = doubles([[0.7], [-2.0]]).requires_grad_()
    values = adapter_loss(logits, log_target_weights(doubles([[5.0], [-1.0]]), 0.1))
    assert values.tolist() == [0.0, 0.0]
    (gradient,) = torch.autograd.grad(values.sum(), logits)
    assert gradient.tolist() == [[0.0], [0.0]]


@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_the_loss_stays_finite_where_a_target_underflows(direction):
    log_target = log_target_weights(doubles([[0.0, 900.0]]), 0.1)
    assert log_target.exp()[0, 0] == 0.0
    logits = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
    value = adapter_loss(logits, log_target, direction)
    assert torch.isfinite(value).all()
    (gradient,) = torch.autograd.grad(value.sum(), logits)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_both_divergences_vanish_at_the_target_only(direction):
    log_target = log_target_weights(doubles([[0.1, 0.2, 0.0]]), 0.1)
    assert adapter_loss(log_target, log_target, direction).item() == pytest.approx(0.0, abs=1e-12)
    assert adapter_loss(torch.zeros(1, 3), log_target, direction).item() > 0.01


def test_divergences_are_those_of_torch():
    target, logits = log_target_weights(doubles([[0.1, 0.3]]), 0.5), doubles([[0.4, -0.4]])
    predicted = logits.log_softmax(-1)
    kl = torch.nn.functional.kl_div
    forward = kl(predicted, target, log_target=True, reduction="sum")
    reverse = kl(target, predicted, log_target=True, reduction="sum")
    assert adapter_loss(logits, target, "forward").item() == pytest.approx(forward.item())
    assert adapter_loss(logits, target, "reverse").item() == pytest.approx(reverse.item())


def test_the_entropy_bonus_moves_the_optimum_away_from_one_hot():
    log_target = log_target_weights(doubles([[1.0, 0.0]]), 0.1)
    found = []
    for coefficient in (0.0, 0.5):
        logits = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.Adam([logits], lr=0.2)
        for _ in range(200):
            optimizer.zero_grad()
            adapter_loss(logits, log_target, entropy_coef=coefficient).sum().backward()
            optimizer.step()
        found.append(entropy(logits.detach().log_softmax(-1)).item())
    assert found[0] < 0.01
    assert found[1] > 0.1


def test_a_floor_renormalises():
    weights = raised(doubles([[1.0, 0.0, 0.0]]), 0.1)
    assert weights.tolist()[0] == pytest.approx([1 / 1.2, 0.1 / 1.2, 0.1 / 1.2])


def test_a_pair_is_the_first_best_and_worst_and_ties_are_none():
    sums = scalarise(doubles([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]), doubles([0.9, 0.1]))
    assert best_and_worst(sums) == (0, 1)
    assert best_and_worst(doubles([2.0, 2.0])) is None


def test_the_grid_holds_every_multiple_once():
    grid = simplex_grid(3, 10)
    assert len(grid) == math.comb(12, 2)
    assert torch.allclose(grid.sum(-1), torch.ones(len(grid), dtype=torch.float64))
    assert len({tuple(row) for row in grid.tolist()}) == len(grid)
    assert simplex_grid(1).tolist() == [[1.0]]
