"""f-divergence scores."""

from __future__ import annotations

import pytest
import torch

from prefrun_pairwise.divergence import DIVERGENCES

RATIOS = torch.tensor([-3.0, -0.5, 0.0, 0.2, 2.5], dtype=torch.float64)


@pytest.mark.parametrize("divergence", DIVERGENCES)
def test_score_is_zero_at_the_reference_and_rises(divergence: str) -> None:
    scores = DIVERGENCES[divergence](RATIOS, 0.5)
    assert scores[2] == pytest.approx(0.0, abs=1e-15)
    assert (scores.diff() > 0).all()


@pytest.mark.parametrize("divergence", DIVERGENCES)
def test_gradients_match_finite_differences(divergence: str) -> None:
    ratios = RATIOS.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda h: DIVERGENCES[divergence](h, 0.5), ratios)


@pytest.mark.parametrize(("alpha", "limit"), [(1.0, "reverse_kl"), (0.0, "forward_kl")])
def test_alpha_divergence_has_its_limits(alpha: float, limit: str) -> None:
    alpha_scores = DIVERGENCES["alpha_divergence"]
    torch.testing.assert_close(alpha_scores(RATIOS, alpha), DIVERGENCES[limit](RATIOS, alpha))
    torch.testing.assert_close(
        alpha_scores(RATIOS, alpha + 1e-5), alpha_scores(RATIOS, alpha), rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("divergence", DIVERGENCES)
def test_scores_stay_finite_in_float32(divergence: str) -> None:
    ratios = torch.tensor([-1e4, 1e4], requires_grad=True)
    scores = DIVERGENCES[divergence](ratios, 3.0)
    scores.sum().backward()
    assert torch.isfinite(scores).all()
    assert torch.isfinite(ratios.grad).all()
