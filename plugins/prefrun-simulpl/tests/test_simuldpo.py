"""SimulDPO's formula: DPO as its special case, and the sign of the latency."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from prefrun_simulpl.simuldpo import action_logps, simuldpo_losses, simuldpo_rewards


def batch(seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    values = [-torch.rand(3, 2, 5, dtype=torch.float64, generator=generator) for _ in range(4)]
    mask = torch.arange(5) < torch.tensor([[5, 3], [1, 5], [4, 2]]).unsqueeze(-1)
    return *values, mask


def test_without_eta_and_alpha_it_is_dpo_exactly() -> None:
    policy, reference, acted, acted_reference, mask = batch()
    latency = torch.rand(3, 2, dtype=torch.float64)
    rewards = simuldpo_rewards(policy, reference, acted, acted_reference, mask, beta=0.3, eta=0.0)
    sums = (policy * mask).sum(-1), (reference * mask).sum(-1)
    logits = 0.3 * ((sums[0][:, 0] - sums[1][:, 0]) - (sums[0][:, 1] - sums[1][:, 1]))
    expected = torch.log1p(torch.exp(-logits))  # Rafailov et al. 2023, equation 7
    torch.testing.assert_close(simuldpo_losses(rewards, latency, alpha=0.0), expected)


def test_actions_that_are_nan_do_not_matter_without_eta() -> None:
    policy, reference, acted, _, mask = batch()
    nothing = torch.full_like(acted, math.nan)
    rewards = simuldpo_rewards(policy, reference, nothing, nothing, mask, beta=0.1, eta=0.0)
    assert torch.isfinite(rewards).all()


def test_a_later_chosen_translation_needs_less_margin() -> None:
    rewards = torch.zeros(2, 2, dtype=torch.float64, requires_grad=True)
    latency = torch.tensor([[0.9, 0.5], [0.5, 0.9]])
    losses = simuldpo_losses(rewards, latency, alpha=1.0)
    (gradient,) = torch.autograd.grad(losses.sum(), rewards)
    assert losses[0] < math.log(2) < losses[1]
    assert gradient[0, 0].abs() < gradient[1, 0].abs()


def test_padding_may_hold_anything() -> None:
    *values, mask = batch()
    garbage = [value.masked_fill(~mask, math.nan) for value in values]
    options = {"beta": 0.1, "eta": 1.0}
    torch.testing.assert_close(
        simuldpo_rewards(*garbage, mask, **options), simuldpo_rewards(*values, mask, **options)
    )


@pytest.mark.parametrize("alpha", [0.0, 1.0, -2.0])
def test_gradients_match_finite_differences(alpha: float) -> None:
    policy, reference, acted, acted_reference, mask = batch()
    latency = torch.rand(3, 2, dtype=torch.float64)

    def loss(policy: Tensor, acted: Tensor) -> Tensor:
        rewards = simuldpo_rewards(
            policy, reference, acted, acted_reference, mask, beta=0.5, eta=0.7
        )
        return simuldpo_losses(rewards, latency, alpha=alpha)

    assert torch.autograd.gradcheck(loss, (policy.requires_grad_(), acted.requires_grad_()))


def test_actions_are_the_log_probability_of_the_schedule() -> None:
    write, waits = torch.tensor([0.4, -1.0, 2.0]), torch.tensor([0.3, -0.2])
    acted = action_logps(write, torch.tensor([True, True, False]), waits, torch.tensor([1, 1]))
    confidence, waited = write.sigmoid(), 1 - waits.sigmoid()
    expected = [confidence[0].log(), (confidence[1] * waited[0] * waited[1]).log(), torch.zeros(())]
    torch.testing.assert_close(acted, torch.stack(expected))


def test_confidences_of_zero_and_one_stay_finite() -> None:
    write = torch.tensor([-1e4, 1e4], requires_grad=True)
    acted = action_logps(write, torch.ones(2).bool(), torch.tensor([1e4]), torch.tensor([0]))
    acted.sum().backward()
    assert torch.isfinite(acted).all()
    assert torch.isfinite(write.grad).all()
