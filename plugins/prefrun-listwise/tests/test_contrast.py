"""Losses on the embeddings of views, and the k-nearest-neighbour evaluation."""

from __future__ import annotations

import pytest
import torch

from prefrun_listwise.contrast import groco_loss, nt_xent_loss, separation, similarity_groups
from prefrun_listwise.neighbours import nearest_classes


def views(count=2, items=6, width=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(items, width, generator=generator, dtype=torch.float64) for _ in range(count)
    ]


@pytest.mark.parametrize("topk_neg", [0, 6])
def test_more_negatives_than_the_batch_has_are_refused(topk_neg):
    with pytest.raises(ValueError, match="1 to 5 negatives"):
        groco_loss(views(), topk_neg)


def test_negatives_are_the_same_view_of_other_items_and_never_the_item_itself():
    same = [torch.eye(6, 6, dtype=torch.float64)] * 2
    positives, negatives = similarity_groups(same, 0, topk_neg=5)
    torch.testing.assert_close(positives, torch.ones(6, 1).double())
    assert not negatives.any()


def test_stopping_the_gradient_changes_the_gradient_only():
    both = []
    for stop in (True, False):
        leaves = [view.requires_grad_() for view in views(3)]
        loss = groco_loss(leaves, 3, stop_grad=stop)
        both.append((loss, torch.autograd.grad(loss, leaves)))
    (held, held_slopes), (free, free_slopes) = both
    torch.testing.assert_close(held, free)
    assert not torch.allclose(held_slopes[0], free_slopes[0])


def test_near_views_have_the_smaller_loss():
    first, other = views()
    near = [first, first + 0.01 * other]
    for loss in (lambda pair: groco_loss(pair, 3), lambda pair: nt_xent_loss(pair, 0.1)):
        assert loss(near) < loss([first, other])


def test_nt_xent_of_two_views_is_cross_entropy():
    first, other = views()
    units = torch.nn.functional.normalize(torch.cat([first, other]), dim=-1)
    logits = units @ units.T / 0.5
    logits.fill_diagonal_(float("-inf"))
    target = torch.arange(12).roll(6)
    expected = torch.nn.functional.cross_entropy(logits, target)
    torch.testing.assert_close(nt_xent_loss([first, other], 0.5), expected)


def test_separation_is_negative_where_a_negative_is_nearer():
    numbers = separation(torch.tensor([[0.2, 0.9]]), torch.tensor([[0.5, -0.1]]))
    assert numbers["gap"].item() == pytest.approx(-0.3)
    assert numbers["positive_max"].item() == pytest.approx(0.9)


def test_neighbours_vote_by_similarity():
    bank = torch.tensor([[1.0, 0.0], [0.9, 0.5], [0.9, 0.6], [0.0, 1.0]])
    classes = torch.tensor([0, 1, 1, 2])
    query = torch.tensor([[1.0, 0.02]])
    assert nearest_classes(bank, classes, query, k=3, temperature=0.01).item() == 0
    assert nearest_classes(bank, classes, query, k=3, temperature=10.0).item() == 1
    assert nearest_classes(bank, classes, query, k=100, temperature=10.0).item() == 1
