"""A step that teaches nothing: no term weighs anything, or the records allow no gradient.

A gradient of exactly 0 alone is no fault: a hinge loss may be satisfied, a sigmoid saturated. It is
one if the loss of these records has no gradient at any log-probs that are tried, in both directions
from the reference, or if their answers are the same tokens, so that the gradients of both cancel.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from prefrun.algorithm import LossAlgorithm
from prefrun.console import console
from prefrun.errors import DataError
from prefrun.needs import KNOWN, Per, need_called, tensors_of
from prefrun.policy.batch import BranchBatch
from prefrun.policy.collate import branch_batch
from prefrun.schema import ERROR
from prefrun.training.finite import some_of

log = logging.getLogger(__name__)
NOTHING_WEIGHED = (
    "every term of the loss weighs 0: in these records there is nothing that it compares, such as "
    "answers of different score"
)
NO_GRADIENT = (
    "the gradient is 0 whatever the policy does: in these records there is nothing that the loss "
    "compares, such as answers of different score or different tokens"
)
TRIES = 3
"""Random log-probs per direction."""
ROUNDING = 1e-6
"""Gradients of equal tokens cancel up to this share of the largest one."""


class EmptySteps:
    """Ends the training, or warns, at a step that teaches nothing."""

    def __init__(self, choice: str) -> None:
        """CHOICE: what `trainer.on_empty_step` is."""
        self.choice = choice
        self.count = 0
        """Steps so far that taught nothing."""
        self._gradients = self._zeros = 0

    def count_gradient(self, is_zero: bool) -> None:
        """Count a step's gradient, whatever it comes of."""
        self._gradients += 1
        self._zeros += is_zero

    def report(self, step: int, ids: Sequence[str], reason: str, is_main: bool) -> None:
        """Say that STEP taught nothing, for REASON. Raises DataError if the choice is ERROR."""
        records = some_of(ids)
        problem = f"step {step} teaches nothing: {reason}"
        if self.choice == ERROR:
            raise DataError(
                problem,
                record=records,
                remedy="look at these records and at the algorithm's keys (`prefrun explain "
                "NAME`); or trainer.on_empty_step=warn, which lets such steps pass",
            )
        self.count += 1
        log.warning("records %s: %s", records, problem)
        if is_main and self.count == 1:
            console.print(f"  notice: records {records}: {problem}", markup=False)

    def conclude(self, steps: int, is_main: bool) -> None:
        """Say at the end how many of STEPS taught nothing, and if no gradient was above 0."""
        notice = ""
        if self.count:
            notice = f"{self.count} of {steps} steps taught nothing (trainer.on_empty_step=warn)"
        elif self._gradients and self._zeros == self._gradients:
            notice = (
                "every gradient was exactly 0, so the model is as it was: the loss is satisfied "
                "or saturated on these records, or numbers underflow (model.dtype)"
            )
        if notice and is_main:
            console.print(f"  notice: {notice}", markup=False)


def blank_extras(inputs: Mapping[str, Any], algorithm: LossAlgorithm, width: int) -> dict[str, Any]:
    """Return zeros for what ALGORITHM needs of the policy beside log-probs, of a collated batch.

    WIDTH: that of the policy's hidden states.
    """
    mask = inputs["token_mask"]
    trees, branches, longest = mask.shape
    shapes = {
        Per.token: (trees, branches, longest),
        Per.step: (trees, branches, inputs["steps"]),
        Per.branch: (trees, branches),
        Per.tree: (trees,),
    }
    extras = {}
    for name in tensors_of(algorithm.needs):
        need = need_called(name)
        shape = shapes[need.per] + ((width,) if need.is_hidden else ())
        extras[name] = torch.zeros(shape, device=mask.device)
    return extras


def can_teach(
    algorithm: LossAlgorithm,
    batches: Sequence[Mapping[str, Any]],
    width: int,
    parameters: Sequence[Tensor] = (),
) -> bool:
    """Whether the loss of any of the collated BATCHES has a gradient at some log-probs.

    PARAMETERS: the algorithm's own, whose gradient counts, too. WIDTH: see `blank_extras`.
    """
    for inputs in batches:
        draw = torch.Generator().manual_seed(0)
        for logps in _tried(inputs, draw):
            extras = blank_extras(inputs, algorithm, width)
            for name in extras:
                if need_called(name).is_hidden:
                    extras[name] = torch.randn(extras[name].shape, generator=draw).to(logps)
            if _has_gradient(algorithm, inputs, branch_batch(inputs, logps, extras), parameters):
                return True
    return False


def _tried(inputs: Mapping[str, Any], draw: torch.Generator) -> Iterator[Tensor]:
    """Yield log-probs [B, K, T] around the reference, if any: each with its mirror image.

    Of two answers the one or the other is then the likelier, by sums and by means over tokens.
    """
    mask = inputs["token_mask"]
    reference = inputs.get("reference_token_logps")
    middle = torch.full(mask.shape, -2.0).to(mask.device) if reference is None else reference
    lengths = mask.sum(-1, keepdim=True).clamp(min=1)
    longest = lengths.max()
    for _ in range(TRIES):
        shift = (2 * torch.rand((*mask.shape[:2], 1), generator=draw) - 1).to(mask.device)
        for direction in (1.0, -1.0):
            yield (middle + direction * shift) * mask
            sums = longest * (direction * shift - (reference is None) * 2.0)
            base = 0.0 if reference is None else reference
            yield (base + sums / lengths) * mask


def _has_gradient(
    algorithm: LossAlgorithm,
    inputs: Mapping[str, Any],
    batch: BranchBatch,
    parameters: Sequence[Tensor],
) -> bool:
    """Whether the loss of BATCH changes with its log-probs, its embeddings or PARAMETERS."""
    states = (getattr(batch, name) for name, need in KNOWN.items() if need.is_hidden)
    leaves = [batch.policy_token_logps, *(state for state in states if state is not None)]
    for leaf in leaves:
        leaf.requires_grad_()
    with torch.enable_grad():
        loss = algorithm.loss(batch).loss
    if not loss.requires_grad:
        return False
    gradients: Any = torch.autograd.grad(loss, [*leaves, *parameters], allow_unused=True)
    logps, *others = gradients
    if any(other is not None and bool((other != 0).any()) for other in others):
        return True
    if logps is None:
        return False
    own = distinct = logps.flatten()[inputs["slot"]]
    if "gather" in inputs:  # equal tokens are one number of the model's
        distinct = own.new_zeros(len(inputs["target"])).index_add(0, inputs["gather"], own)
    limit = ROUNDING * own.abs().amax() if len(own) else 0.0
    return not bool((distinct.abs() <= limit).all())  # NaN counts as a gradient
