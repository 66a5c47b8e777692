"""Changes of a batch that mean nothing must change nothing."""

from __future__ import annotations

from collections import defaultdict
from unittest import SkipTest

import torch
from torch import Tensor

from prefrun.testing.algorithm.purity import PURE
from prefrun.testing.algorithm.subject import AlgorithmSubject, assert_same
from prefrun.testing.reshaping import (
    add_padding,
    permute_branches,
    select_trees,
    spoil_padding,
)
from prefrun.testing.suite import Property


def branch_order_does_not_matter(subject: AlgorithmSubject) -> None:
    """Branches change places together with their scores."""
    batch = subject.batch()
    expected = subject.loss(batch)
    for seed in range(3):
        assert_same(subject.loss(permute_branches(batch, seed)), expected, "reordering branches")


def tree_order_does_not_matter(subject: AlgorithmSubject) -> None:
    """Trees of a batch change places."""
    batch = subject.batch()
    expected = subject.loss(batch)
    for order in ([2, 1, 0], [1, 2, 0]):
        assert_same(subject.loss(select_trees(batch, order)), expected, "reordering trees")


def padding_can_be_added(subject: AlgorithmSubject) -> None:
    """A batch padded to more tokens or branches is the same batch."""
    batch = subject.batch()
    expected = subject.loss(batch)
    assert_same(subject.loss(add_padding(batch, 0, 3)), expected, "adding padding tokens")
    if subject.branches > 2:  # a loss for pairs only is judged by `any_branch_count`
        assert_same(subject.loss(add_padding(batch, 2, 0)), expected, "adding padding branches")


def padding_values_do_not_matter(subject: AlgorithmSubject) -> None:
    """What padded tokens and branches hold is never read."""
    batch = subject.batch()
    spoilt = spoil_padding(batch)
    assert_same(subject.loss(spoilt), subject.loss(batch), "another value at padded positions")


def gradient_at_padding_is_zero(subject: AlgorithmSubject) -> None:
    """No gradient at padded tokens; also none that is NaN."""
    batch = subject.batch()
    _, gradient = subject.gradient(batch)
    there = gradient[~batch.token_mask]
    assert (there == 0).all(), f"{int((there != 0).sum())} padded tokens get a gradient"


def micro_batches_add_up(subject: AlgorithmSubject) -> None:
    """One tree at a time, with values and weights summed, gives the full batch's loss.

    The host accumulates gradients this way. An algorithm whose definition couples the trees of a
    batch says so with `batch_coupled = True`.
    """
    if subject.losses.batch_coupled:
        raise SkipTest("batch_coupled = True: the trees of a batch depend on each other")
    batch = subject.batch(trees=4)
    totals: dict[str, list[Tensor]] = defaultdict(lambda: [torch.zeros(()), torch.zeros(())])
    for tree in range(4):
        for name, term in subject.output(select_trees(batch, [tree])).terms.items():
            value, weight = totals[name]
            totals[name] = [value + (term.values * term.weights).sum(), weight + term.weights.sum()]
    means = [value / weight.clamp(min=1e-12) for value, weight in totals.values()]
    assert_same(torch.stack(means).sum(), subject.loss(batch), "splitting into micro-batches")


PROPERTIES = (
    Property(branch_order_does_not_matter, PURE),
    Property(tree_order_does_not_matter, PURE),
    Property(padding_can_be_added, PURE),
    Property(padding_values_do_not_matter, ("padding_can_be_added",)),
    Property(gradient_at_padding_is_zero, ("padding_values_do_not_matter", "gradient_is_finite")),
    Property(micro_batches_add_up, ("tree_order_does_not_matter",)),
)
