"""The supervised loss and the expected delays against their definitions."""

from __future__ import annotations

from itertools import combinations_with_replacement

import pytest
import torch
from torch import Tensor

from prefrun_simulpl.confidence import confidence_loss
from prefrun_simulpl.expected_delay import expected_delays, expected_proportion


def inputs(seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    prefix, full = (torch.randn(7, 5, dtype=torch.float64, generator=generator) for _ in range(2))
    confidence = torch.randn(7, dtype=torch.float64, generator=generator)
    targets = torch.randint(5, (7,), generator=generator)
    return prefix, full, confidence, targets, torch.arange(7) < 5


def test_a_sure_model_is_judged_by_its_prefix_alone() -> None:
    prefix, full, confidence, targets, mask = inputs()
    sure = confidence_loss(prefix, full, torch.full_like(confidence, 29.0), targets, mask, 0.0)
    nll = torch.nn.functional.cross_entropy(prefix[:5], targets[:5], reduction="sum")
    torch.testing.assert_close(sure.stream, nll)
    assert sure.confidence < 1e-9


def test_an_unsure_model_pays_for_the_full_prediction() -> None:
    prefix, full, confidence, targets, mask = inputs()
    unsure = confidence_loss(prefix, full, torch.full_like(confidence, -29.0), targets, mask, 0.0)
    torch.testing.assert_close(unsure.stream, unsure.full)
    torch.testing.assert_close(unsure.confidence, torch.tensor(5 * 29.0).double())


def test_confidence_rises_where_the_prefix_is_better() -> None:
    targets, mask = torch.tensor([0, 0]), torch.ones(2, dtype=torch.bool)
    prefix = torch.tensor([[3.0, 0.0], [0.0, 3.0]])
    full = prefix.flip(0)
    confidence = torch.zeros(2, requires_grad=True)
    confidence_loss(prefix, full, confidence, targets, mask, 0.0).total(0.1).backward()
    assert confidence.grad[0] < 0 < confidence.grad[1]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_gradients_reach_both_predictions(smoothing: float) -> None:
    prefix, full, confidence, targets, mask = inputs()

    def loss(*leaves: Tensor) -> Tensor:
        return confidence_loss(*leaves, targets, mask, smoothing).total(0.1)

    leaves = [value.requires_grad_() for value in (prefix, full, confidence)]
    assert torch.autograd.gradcheck(loss, leaves)


def test_huge_logits_stay_finite_in_float32() -> None:
    prefix = torch.tensor([[200.0, -200.0]], requires_grad=True)
    confidence = torch.tensor([500.0], requires_grad=True)
    loss = confidence_loss(
        prefix, -prefix, confidence, torch.tensor([1]), torch.tensor([True])
    ).total(0.1)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(prefix.grad).all()


def test_expected_delays_by_enumeration() -> None:
    """The mean over all schedules, each with its probability."""
    write = torch.rand(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    certain = write.clone()
    certain[:, -1] = 1.0
    means = torch.zeros(3, dtype=torch.float64)
    for schedule in combinations_with_replacement(range(4), 3):
        probability, at = torch.ones((), dtype=torch.float64), 0
        for unit, place in enumerate(schedule):
            probability = probability * (1 - certain[unit, at:place]).prod() * certain[unit, place]
            at = place
        means += probability * (torch.tensor(schedule, dtype=torch.float64) + 1)
    torch.testing.assert_close(expected_delays(write), means)
    torch.testing.assert_close(expected_proportion(write), means.mean() / 4)
