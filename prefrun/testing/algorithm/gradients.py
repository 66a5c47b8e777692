"""Values and gradients of a loss on ordinary batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from prefrun.testing.algorithm.subject import AlgorithmSubject, assert_finite
from prefrun.testing.suite import Property

DTYPES = (torch.float64, torch.float32)
SEEDS = range(3)
"""Batches tried where a single one could hit a flat piece of a loss."""


def loss_is_a_finite_scalar(subject: AlgorithmSubject) -> None:
    """On a random batch, in float64 and float32."""
    for dtype in DTYPES:
        loss = subject.loss(subject.batch(dtype=dtype))
        assert loss.dim() == 0, f"the loss has shape {tuple(loss.shape)} in {dtype}"
        assert torch.isfinite(loss), f"the loss is {float(loss)} in {dtype}"


def gradient_is_finite(subject: AlgorithmSubject) -> None:
    """On random batches, in float64 and float32."""
    for dtype in DTYPES:
        for seed in SEEDS:
            assert_finite(*subject.gradient(subject.batch(dtype=dtype, seed=seed)), f"in {dtype}")


def gradient_is_not_zero(subject: AlgorithmSubject) -> None:
    """The loss moves the policy."""
    for dtype in DTYPES:
        moved = [subject.gradient(subject.batch(dtype=dtype, seed=s))[1].any() for s in SEEDS]
        assert any(moved), f"no gradient reaches the policy's log-probs in {dtype}"


def step_prefers_better_answers(subject: AlgorithmSubject) -> None:
    """From the start on, a step against the gradient moves likelihood to the better answers."""
    moved = 0.0
    for seed in SEEDS:
        start = subject.start(seed)
        _, gradient = subject.gradient(start)
        present = start.branch_mask.to(gradient)
        scores = start.scores.to(gradient).nan_to_num() * present
        means = scores.sum(-1, keepdim=True) / present.sum(-1, keepdim=True).clamp(min=1)
        moved -= float((gradient.sum(-1) * (scores - means) * present).sum())
    assert moved > 0, (
        "a step raises the worse answers against the better ones: is a sign turned, or are chosen "
        "and rejected exchanged?"
    )


def bfloat16_stays_finite(subject: AlgorithmSubject) -> None:
    """The loss and its gradient, where the log-probs come in bfloat16."""
    assert_finite(*subject.gradient(subject.batch(dtype=torch.bfloat16)), "in bfloat16")


def gradient_matches_finite_differences(subject: AlgorithmSubject) -> None:
    """The gradient with respect to every policy log-prob, in float64 (torch.autograd.gradcheck).

    A loss with a stop-gradient in its definition, where the held part moves smoothly with the
    policy, fails by design: announce it in `expected_failures`.
    """
    batch = subject.batch(trees=2, branches=min(3, subject.branches), tokens=3)

    def loss(logps: Tensor) -> Tensor:
        return subject.loss(batch.with_policy(logps, batch.extras))

    leaf = batch.policy_token_logps.clone().requires_grad_()
    try:
        torch.autograd.gradcheck(loss, (leaf,), eps=1e-6, atol=1e-6, rtol=1e-4)
    except RuntimeError as error:  # its message is two whole Jacobians
        gap = _largest_gap(loss, leaf)
        raise AssertionError(f"an entry is off by {gap:.3g} from finite differences") from error


def _largest_gap(loss: Callable[[Tensor], Tensor], leaf: Tensor) -> float:
    """Largest difference between the gradient and central differences."""
    (gradient,) = torch.autograd.grad(loss(leaf), leaf)
    flat, step = leaf.detach().flatten(), 1e-6
    gaps: list[float] = []
    for place in range(flat.numel()):
        shift = torch.zeros_like(flat)
        shift[place] = step
        above, below = (loss((flat + s).view_as(leaf)).item() for s in (shift, -shift))
        gaps.append(abs((above - below) / (2 * step) - gradient.flatten()[place].item()))
    return max(gaps)


def no_gradient_reaches_the_reference(subject: AlgorithmSubject) -> None:
    """The reference is a constant: sums come detached from the batch, tokens need `.detach()`."""
    batch = subject.batch()
    assert batch.reference_token_logps is not None
    reference = batch.reference_token_logps.clone().requires_grad_()
    policy = batch.policy_token_logps.clone().requires_grad_()
    watched = replace(batch, reference_token_logps=reference, policy_token_logps=policy)
    loss = subject.loss(watched)
    (gradient,) = torch.autograd.grad(loss, reference, allow_unused=True)
    assert gradient is None or not gradient.any(), (
        "a gradient flows into reference_token_logps: detach it, or use batch.log_ratios"
    )


PROPERTIES = (
    Property(loss_is_a_finite_scalar, ("output_is_well_formed",)),
    Property(gradient_is_finite, ("loss_is_a_finite_scalar",)),
    Property(gradient_is_not_zero, ("gradient_is_finite",)),
    Property(
        step_prefers_better_answers,
        ("gradient_is_not_zero", "step_zero_is_finite", "weights_are_constants"),
    ),
    Property(bfloat16_stays_finite, ("gradient_is_finite",)),
    Property(
        gradient_matches_finite_differences,
        ("gradient_is_not_zero", "weights_depend_on_data_only"),
    ),
    Property(no_gradient_reaches_the_reference, ("gradient_is_not_zero",)),
)
