"""A loss is a function: its output depends on the batch and on nothing else."""

from __future__ import annotations

import torch
from torch import Tensor

from prefrun.testing.algorithm.subject import AlgorithmSubject
from prefrun.testing.reshaping import AXES, copy_batch
from prefrun.testing.seeding import seeded
from prefrun.testing.suite import Property
from prefrun.training.output_check import at_loss, problem_of


def output_is_well_formed(subject: AlgorithmSubject) -> None:
    """The loss returns terms of one value and one weight per unit, and scalars to log."""
    output = subject.output(subject.batch())
    problem = problem_of(output, subject.batch().policy_token_logps)
    assert not problem, at_loss(subject.losses, problem)
    for name, metric in output.metrics.items():
        assert not metric.requires_grad, f"metric '{name}' carries a gradient: detach it"


def input_is_not_mutated(subject: AlgorithmSubject) -> None:
    """The batch is the same after the call."""
    batch = subject.batch()
    before = copy_batch(batch)
    subject.losses.loss(batch)
    for name in AXES:
        seen, kept = getattr(batch, name), getattr(before, name)
        pairs = {name: (seen, kept)} if isinstance(seen, Tensor) else {}
        if not pairs and seen is not None:
            assert seen.keys() == kept.keys(), f"the loss changed the entries of batch.{name}"
            pairs = {f"{name}['{key}']": (seen[key], kept[key]) for key in seen}
        for where, (one, other) in pairs.items():
            same = torch.equal(one.nan_to_num(), other.nan_to_num())
            assert same, f"the loss wrote into batch.{where}"


def keeps_no_state(subject: AlgorithmSubject) -> None:
    """An earlier call changes nothing, with the same batch or another."""
    batch = subject.batch()
    with seeded(0):
        first = subject.loss(batch)
    subject.loss(subject.batch(seed=1))
    with seeded(0):
        again = subject.loss(batch)
    assert torch.equal(first, again), (
        f"the same batch gave {float(first):.9g} and, after other calls, {float(again):.9g}"
    )


def is_deterministic(subject: AlgorithmSubject) -> None:
    """No random numbers: other seeds of the global generators give the same loss."""
    batch = subject.batch()
    with seeded(1):
        first = subject.loss(batch)
    with seeded(2):
        second = subject.loss(batch)
    assert torch.equal(first, second), (
        f"the same batch gave {float(first):.9g} and {float(second):.9g} under two random seeds"
    )


def weights_depend_on_data_only(subject: AlgorithmSubject) -> None:
    """The host sums weights before the forward pass, with log-probs and extras of 0."""
    batch = subject.batch()
    zeros = torch.zeros_like(batch.policy_token_logps)
    with torch.no_grad():
        blank = subject.output(batch.with_policy(zeros, {name: zeros for name in batch.extras}))
    seen = subject.output(batch)
    assert blank.terms.keys() == seen.terms.keys(), "the policy decides which terms there are"
    for name, term in seen.terms.items():
        same = torch.equal(term.weights, blank.terms[name].weights)
        assert same, f"the weights of term '{name}' change with the policy's log-probs"


def weights_are_constants(subject: AlgorithmSubject) -> None:
    """Weights are finite, at least 0, and carry no gradient."""
    batch = subject.batch()
    leaf = batch.policy_token_logps.clone().requires_grad_()
    for name, term in subject.output(batch.with_policy(leaf, batch.extras)).terms.items():
        assert not term.weights.requires_grad, f"the weights of term '{name}' carry a gradient"
        assert torch.isfinite(term.weights).all(), f"a weight of term '{name}' is not finite"
        assert (term.weights >= 0).all(), f"a weight of term '{name}' is negative"


PURE = ("loss_is_a_finite_scalar", "keeps_no_state", "is_deterministic")
"""What two losses must be before they can be compared."""
PROPERTIES = (
    Property(output_is_well_formed, ("is_an_algorithm",)),
    Property(input_is_not_mutated, ("output_is_well_formed",)),
    Property(keeps_no_state, ("output_is_well_formed", "loss_is_a_finite_scalar")),
    Property(is_deterministic, ("keeps_no_state",)),
    Property(weights_are_constants, ("output_is_well_formed",)),
    Property(weights_depend_on_data_only, ("weights_are_constants", *PURE)),
)
