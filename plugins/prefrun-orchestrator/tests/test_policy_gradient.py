"""Advantages and the online loss."""

from __future__ import annotations

import pytest
import torch

from prefrun_orchestrator.policy_gradient import advantages, online_loss


def test_rloo_compares_with_the_other_answers():
    found = advantages(torch.tensor([[1.0, 2.0, 6.0]]), "rloo")
    assert found[0].tolist() == pytest.approx([1 - 4.0, 2 - 3.5, 6 - 1.5])


def test_grpo_has_mean_zero_and_spread_one_and_equal_rewards_teach_nothing():
    found = advantages(torch.tensor([[1.0, 2.0, 6.0], [3.0, 3.0, 3.0]]), "grpo")
    assert found.mean(-1).tolist() == pytest.approx([0.0, 0.0], abs=1e-6)
    assert found[0].std(correction=0).item() == pytest.approx(1.0, abs=1e-3)
    assert found[1].tolist() == [0.0, 0.0, 0.0]


def test_an_unknown_advantage_is_refused():
    with pytest.raises(ValueError, match="rloo"):
        advantages(torch.zeros(1, 2), "ppo")


def test_the_gradient_is_the_advantage_and_padding_is_not_read():
    logps = torch.tensor([[-1.0, -2.0], [-0.5, float("nan")]], requires_grad=True)
    reference = logps.detach().clone()
    mask = torch.tensor([[True, True], [True, False]])
    loss, divergence = online_loss(logps, reference, mask, torch.tensor([2.0, -1.0]), 0.1)
    assert divergence.tolist() == [0.0, 0.0]
    loss.sum().backward()
    assert logps.grad.tolist() == [[-2.0, -2.0], [1.0, 0.0]]


def test_the_divergence_pulls_back_to_the_reference():
    logps = torch.tensor([[-1.0]], requires_grad=True)
    loss, divergence = online_loss(
        logps, torch.tensor([[-2.0]]), torch.ones(1, 1, dtype=torch.bool), torch.zeros(1), 1.0
    )
    assert divergence.item() == pytest.approx(torch.e**-1.0, abs=1e-6)
    loss.sum().backward()
    assert logps.grad.item() > 0  # descent lowers a log-prob above the reference's
