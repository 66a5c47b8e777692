"""KTO and APO-zero on single answers."""

from __future__ import annotations

import pytest
import torch

from prefrun_pairwise.kto import apo_zero_unpaired, kl_estimate, kto

RATIOS = torch.tensor([1.0, -1.0, 0.5, -2.0], dtype=torch.float64)
DESIRABLE = torch.tensor([True, False, False, True])
KL = torch.tensor(0.7, dtype=torch.float64)


def test_sides_pull_in_opposite_directions() -> None:
    ratios = RATIOS.clone().requires_grad_()
    kto(ratios, DESIRABLE, KL, beta=0.3).sum().backward()
    assert torch.equal(ratios.grad < 0, DESIRABLE)


def test_gradients_match_finite_differences() -> None:
    ratios = RATIOS.clone().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda h: kto(h, DESIRABLE, KL, beta=0.3, desirable_weight=1.3), ratios
    )


def test_weights_belong_to_their_side() -> None:
    plain = kto(RATIOS, DESIRABLE, KL, beta=0.3)
    weighted = kto(RATIOS, DESIRABLE, KL, beta=0.3, desirable_weight=2, undesirable_weight=3)
    torch.testing.assert_close(weighted, plain * torch.where(DESIRABLE, 2.0, 3.0))


def test_order_of_answers_does_not_matter() -> None:
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(
        kto(RATIOS[order], DESIRABLE[order], KL, beta=0.3),
        kto(RATIOS, DESIRABLE, KL, beta=0.3)[order],
    )


def test_value_at_the_reference_point_is_one_half() -> None:
    values = kto(KL.expand(2), torch.tensor([True, False]), KL, beta=0.3)
    assert values.tolist() == pytest.approx([0.5, 0.5])


def test_apo_zero_is_kto_without_the_kl() -> None:
    torch.testing.assert_close(
        apo_zero_unpaired(RATIOS, DESIRABLE, beta=0.3),
        kto(RATIOS, DESIRABLE, torch.zeros((), dtype=torch.float64), beta=0.3),
    )


def test_huge_log_ratios_stay_finite() -> None:
    ratios = torch.tensor([-1e6, 1e6, -1e6, 1e6], requires_grad=True)
    values = kto(ratios, DESIRABLE, KL.float(), beta=1.0)
    values.sum().backward()
    assert torch.isfinite(values).all()
    assert torch.isfinite(ratios.grad).all()


def test_kl_is_clamped_after_the_mean_and_carries_no_gradient() -> None:
    policy = torch.tensor([-1.0, -5.0], requires_grad=True)
    assert kl_estimate(policy, torch.tensor([-2.0, -5.5])).item() == pytest.approx(0.75)
    assert kl_estimate(policy, torch.tensor([-2.0, -1.0])).item() == 0.0
    assert not kl_estimate(policy, torch.tensor([-2.0, -5.5])).requires_grad
