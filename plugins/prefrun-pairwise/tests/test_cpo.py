"""CPO, SimPO, AlphaPO and ORPO: the losses without a reference."""

from __future__ import annotations

import math

import pytest
import torch

from prefrun_pairwise.cpo import LOSSES, CpoKnobs, alpha_rewards, cpo_values
from prefrun_pairwise.orpo import log1mexp, log_odds_ratios, orpo_values

CHOSEN = torch.tensor([-1.2, -0.3, -2.0], dtype=torch.float64)
REJECTED = torch.tensor([-0.9, -1.7, -2.0], dtype=torch.float64)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("alpha", [0.0, 0.25, -0.5])
def test_gradients_match_finite_differences(loss: str, alpha: float) -> None:
    knobs = CpoKnobs(beta=2.0, label_smoothing=0.1, alpha=alpha)
    leaves = CHOSEN.clone().requires_grad_(), REJECTED.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda c, r: cpo_values(loss, c, r, knobs), leaves)


def test_simpo_gamma_is_the_margin_itself() -> None:
    values = cpo_values("simpo", CHOSEN, REJECTED, CpoKnobs(beta=2.0, simpo_gamma=0.5))
    expected = -torch.nn.functional.logsigmoid(2.0 * (CHOSEN - REJECTED) - 0.5)
    torch.testing.assert_close(values, expected)


def test_alpha_rewards_go_over_into_log_probs() -> None:
    torch.testing.assert_close(alpha_rewards(CHOSEN, 0.25), (1 - CHOSEN.exp() ** -0.25) / 0.25)
    torch.testing.assert_close(alpha_rewards(CHOSEN, 1e-8), alpha_rewards(CHOSEN, 0.0))


@pytest.mark.parametrize("loss", LOSSES)
def test_huge_log_probs_stay_finite(loss: str) -> None:
    leaves = [torch.tensor(row, requires_grad=True) for row in ([-4e3, -0.1], [-0.1, -4e3])]
    values = cpo_values(loss, *leaves, CpoKnobs(beta=1.0))
    values.sum().backward()
    for tensor in (values, leaves[0].grad, leaves[1].grad):
        assert torch.isfinite(tensor).all()


def test_alpha_rewards_of_sums_do_not_overflow() -> None:
    logps = torch.tensor([-4e3, -1.0], requires_grad=True)
    rewards = alpha_rewards(logps, 0.25)
    rewards.sum().backward()
    assert torch.isfinite(rewards).all()
    assert torch.isfinite(logps.grad).all()


def test_orpo_equals_its_definition() -> None:
    odds = [p / (1 - p) for p in (CHOSEN.exp(), REJECTED.exp())]
    torch.testing.assert_close(log_odds_ratios(CHOSEN, REJECTED), (odds[0] / odds[1]).log())
    torch.testing.assert_close(
        orpo_values(CHOSEN, REJECTED, beta=0.2), 0.2 * torch.log1p(odds[1] / odds[0])
    )


def test_orpo_gradients_match_finite_differences() -> None:
    leaves = CHOSEN.clone().requires_grad_(), REJECTED.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda c, r: orpo_values(c, r, beta=0.2), leaves)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_orpo_stays_finite_for_certain_and_impossible_answers(dtype: torch.dtype) -> None:
    leaves = [
        torch.tensor(row, dtype=dtype, requires_grad=True) for row in ([0.0, -1e4], [-1e4, 0.0])
    ]
    values = orpo_values(*leaves, beta=0.2)
    values.sum().backward()
    for tensor in (values, leaves[0].grad, leaves[1].grad):
        assert torch.isfinite(tensor).all()


@pytest.mark.parametrize("logp", [-1e-9, -1e-3, -math.log(2.0), -1.0, -50.0])
def test_log1mexp_is_exact_on_both_branches(logp: float) -> None:
    computed = log1mexp(torch.tensor(logp, dtype=torch.float64)).item()
    assert computed == pytest.approx(math.log(-math.expm1(logp)), rel=1e-12)
