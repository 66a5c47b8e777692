"""The step-0 gate knows rounding from another model."""

from __future__ import annotations

import pytest
import torch

from prefrun.errors import PrefrunError
from prefrun.training.gate import check_step_zero

POLICY = torch.linspace(-6.0, -0.1, 200)


def rounded(noise: float) -> torch.Tensor:
    """The same log-probs with errors of that mean size, one of them ten times as large."""
    signs = torch.where(torch.arange(200) % 2 == 0, 1.0, -1.0)
    errors = signs * noise
    errors[7] *= 10
    return POLICY + errors


@pytest.mark.parametrize("noise", [0.05, 0.3])
def test_rounding_as_measured_passes(noise):
    assert check_step_zero(POLICY, rounded(noise), torch.bfloat16, noise) == pytest.approx(
        10 * noise
    )


@pytest.mark.parametrize("noise", [0.05, 0.3])
def test_four_times_the_rounding_is_another_model(noise):
    with pytest.raises(PrefrunError, match=r"on average before any training"):
        check_step_zero(POLICY, rounded(4 * noise), torch.bfloat16, noise)


def test_one_token_far_off_is_refused_though_the_mean_is_small():
    other = POLICY.clone()
    other[3] += 1.5
    with pytest.raises(PrefrunError, match=r"differ by 1\.5 nats on a token"):
        check_step_zero(POLICY, other, torch.bfloat16, 0.02)


def test_float32_has_no_noise_to_hide_behind():
    with pytest.raises(PrefrunError, match="step-0 gate"):
        check_step_zero(POLICY, POLICY + 2e-3, torch.float32)
