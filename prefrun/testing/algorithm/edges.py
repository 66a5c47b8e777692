"""Batches at the edge of what data can hold."""

from __future__ import annotations

import math
from dataclasses import replace
from unittest import SkipTest

import torch

from prefrun.policy.batch import BranchBatch
from prefrun.testing.algorithm.gradients import SEEDS
from prefrun.testing.algorithm.purity import PURE
from prefrun.testing.algorithm.subject import BRANCHES, RELATIVE, AlgorithmSubject, assert_finite
from prefrun.testing.batches import with_scores
from prefrun.testing.suite import Property

HUGE = 1e3
"""Size of a log-ratio, in nats, that a policy reaches when it runs away."""


def ties_are_finite(subject: AlgorithmSubject) -> None:
    """All scores of a tree equal, some of them, and all of the batch."""
    batch = subject.batch()
    tied = batch.scores.clone()
    tied[:, 1] = tied[:, 0]
    assert_finite(*subject.gradient(with_scores(batch, tied)), "where two scores of a tree tie")
    tied[0] = 0.5
    assert_finite(*subject.gradient(with_scores(batch, tied)), "where all scores of a tree tie")
    tied[:] = 0.5
    assert_finite(*subject.gradient(with_scores(batch, tied)), "where all scores of the batch tie")


def single_branch_is_finite(subject: AlgorithmSubject) -> None:
    """A tree with one answer: alone (K=1), or beside larger trees."""
    assert_finite(*subject.gradient(subject.batch(branches=1)), "where K=1")
    batch = subject.batch(branches=BRANCHES, ragged=False)
    first_only = batch.branch_mask.clone()
    first_only[0, 1:] = False
    assert_finite(*subject.gradient(_without(batch, first_only)), "where one tree has one branch")


def any_branch_count(subject: AlgorithmSubject) -> None:
    """Lists of 2, 3, 4 and 5 answers."""
    for branches in (2, 3, BRANCHES, 5):
        try:
            loss, gradient = subject.gradient(subject.batch(branches=branches))
        except Exception as error:
            raise AssertionError(f"K={branches} raises {type(error).__name__}: {error}") from error
        assert_finite(loss, gradient, f"where K={branches}")


def identical_branches_are_finite(subject: AlgorithmSubject) -> None:
    """All answers of a tree are equally likely, under policy and reference."""
    batch = subject.batch(ragged=False)
    assert batch.reference_token_logps is not None
    policy, reference = batch.policy_token_logps, batch.reference_token_logps
    same = replace(
        batch,
        policy_token_logps=policy[:, :1].expand_as(policy).clone(),
        reference_token_logps=reference[:, :1].expand_as(reference).clone(),
    )
    assert_finite(*subject.gradient(same), "where all branches have equal log-probs")


def huge_log_ratios_are_finite(subject: AlgorithmSubject) -> None:
    """Log-ratios of +1000 and -1000 nats, in float64 and float32."""
    for dtype in (torch.float64, torch.float32):
        batch = subject.batch(dtype=dtype)
        for first in (0, 1):
            runaway = _runaway(batch, first)
            assert_finite(*subject.gradient(runaway), f"at log-ratios of +-{HUGE:g} in {dtype}")


def step_zero_is_finite(subject: AlgorithmSubject) -> None:
    """Policy equal to the reference, as before the first step: finite, and equal when repeated."""
    start = subject.start()
    loss, gradient = subject.gradient(start)
    assert_finite(loss, gradient, "where the policy is the reference")
    again, gradient_again = subject.gradient(start)
    assert torch.equal(loss, again), f"two calls gave {float(loss):.9g} and {float(again):.9g}"
    assert torch.equal(gradient, gradient_again), "two calls gave different gradients"


def step_zero_value(subject: AlgorithmSubject) -> str:
    """The loss before the first step is what `loss_at_start` says, on several batches."""
    wanted = subject.losses.loss_at_start()
    if wanted is None:
        raise SkipTest("the algorithm states no loss_at_start()")
    for seed in SEEDS:
        seen = float(subject.loss(subject.start(seed)))
        assert math.isclose(seen, wanted, rel_tol=RELATIVE), (
            f"where the policy is the reference the loss is {seen:.9g}, not {wanted:.9g}"
        )
    return f"{wanted:.9g}"


def _runaway(batch: BranchBatch, first: int) -> BranchBatch:
    """Log-ratios HUGE at every second branch from FIRST on, -HUGE at the others."""
    assert batch.reference_token_logps is not None
    up = torch.arange(batch.scores.shape[1]) % 2 == first
    shift = (HUGE / batch.lengths.clamp(min=1))[..., None] * batch.token_mask
    near, far = -0.01 * batch.token_mask, -shift.to(batch.scores.dtype)
    return replace(
        batch,
        policy_token_logps=torch.where(up[:, None], near, far).to(batch.scores.dtype),
        reference_token_logps=torch.where(up[:, None], far, near).to(batch.scores.dtype),
    )


def _without(batch: BranchBatch, mask: torch.Tensor) -> BranchBatch:
    """BATCH with only the branches of MASK [B, K]; the rest becomes padding."""
    assert batch.reference_token_logps is not None
    tokens = batch.token_mask & mask[..., None]
    kept = replace(
        batch,
        branch_mask=mask,
        token_mask=tokens,
        policy_token_logps=batch.policy_token_logps * tokens,
        reference_token_logps=batch.reference_token_logps * tokens,
        branch_weights=batch.branch_weights * mask,
        step_index=batch.step_index * tokens,
        step_scores=batch.step_scores.masked_fill(~mask[..., None], torch.nan),
        objectives={name: scores * mask for name, scores in batch.objectives.items()},
        extras={name: values * tokens for name, values in batch.extras.items()},
        step_embeddings=None
        if batch.step_embeddings is None
        else batch.step_embeddings * mask[..., None, None],
    )
    return with_scores(kept, batch.scores)


PROPERTIES = (
    Property(any_branch_count, ("gradient_is_finite",)),
    Property(ties_are_finite, ("gradient_is_finite",)),
    Property(identical_branches_are_finite, ("gradient_is_finite",)),
    Property(
        single_branch_is_finite,
        ("any_branch_count", "ties_are_finite", "identical_branches_are_finite"),
    ),
    Property(huge_log_ratios_are_finite, ("gradient_is_finite",)),
    Property(step_zero_is_finite, ("gradient_is_finite", *PURE)),
    Property(step_zero_value, ("step_zero_is_finite",)),
)
