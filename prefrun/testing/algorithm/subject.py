"""An algorithm under test, and the numbers that checks compare."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from prefrun.algorithm import Algorithm, LossAlgorithm, LossOutput
from prefrun.policy.batch import BranchBatch
from prefrun.testing.batches import WIDTH, make_batch
from prefrun.testing.component import ComponentSubject
from prefrun.testing.reshaping import copy_batch
from prefrun.testing.seeding import seeded

BRANCHES = 4
"""Branches of the usual batch; 2 for an algorithm that fails on lists, which has its own check."""
RELATIVE, ABSOLUTE = 1e-6, 1e-8
"""How close two losses must be that may differ by rounding only."""


class AlgorithmSubject(ComponentSubject):
    """An algorithm, its settings, and batches of a shape it can take."""

    @cached_property
    def algorithm(self) -> Algorithm:
        """The instance that all checks share, so that state it keeps comes to light."""
        built = self.build()
        assert isinstance(built, Algorithm)
        if isinstance(built, LossAlgorithm):
            with seeded(0):
                module = built.make_module(WIDTH)
            built.module = None if module is None else module.double()
        return built

    @property
    def losses(self) -> LossAlgorithm:
        """The same, as a loss."""
        assert isinstance(self.algorithm, LossAlgorithm)
        return self.algorithm

    @cached_property
    def branches(self) -> int:
        """BRANCHES, or 2 where the loss cannot take more."""
        try:
            self.output(make_batch(branches=BRANCHES, needs=self.losses.needs))
        except Exception:  # judged by `any_branch_count`; here only the fallback matters
            return 2
        return BRANCHES

    def batch(self, **options: Any) -> BranchBatch:
        """Return `make_batch` with this algorithm's needs."""
        options.setdefault("branches", self.branches)
        return make_batch(needs=self.losses.needs, **options)

    def start(self, seed: int = 0) -> BranchBatch:
        """Return a batch of which the policy is the reference, as before the first step."""
        batch = self.batch(seed=seed)
        assert batch.reference_token_logps is not None
        return batch.with_policy(batch.reference_token_logps, batch.extras)

    def output(self, batch: BranchBatch) -> LossOutput:
        """Call the loss on a copy of BATCH, so that no check sees what another's call changed."""
        return self.losses.loss(copy_batch(batch))

    def loss(self, batch: BranchBatch) -> Tensor:
        """Return the batch's loss, a scalar."""
        return self.output(batch).loss

    def gradient(self, batch: BranchBatch) -> tuple[Tensor, Tensor]:
        """Return loss and gradient [B, K, T] with respect to the policy's log-probs."""
        leaf = batch.policy_token_logps.detach().clone().requires_grad_()
        loss = self.loss(batch.with_policy(leaf, batch.extras))
        if not loss.requires_grad:
            return loss, torch.zeros_like(leaf)
        (gradient,) = torch.autograd.grad(loss, leaf, allow_unused=True)
        return loss.detach(), torch.zeros_like(leaf) if gradient is None else gradient


def assert_same(seen: Tensor, expected: Tensor, change: str) -> None:
    """Raise AssertionError, naming the CHANGE that made the difference, where two losses differ."""
    one, other = float(seen.detach()), float(expected.detach())
    if not abs(one - other) <= ABSOLUTE + RELATIVE * abs(other):  # also where one is NaN
        raise AssertionError(f"{change} changes the loss from {other:.9g} to {one:.9g}")


def assert_finite(loss: Tensor, gradient: Tensor, where: str) -> None:
    """Raise AssertionError where the loss or an entry of the gradient is NaN or infinite."""
    assert torch.isfinite(loss), f"the loss is {float(loss)} {where}"
    bad = int((~torch.isfinite(gradient)).sum())
    assert not bad, f"{bad} of {gradient.numel()} gradient entries are not finite {where}"
