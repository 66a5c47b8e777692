"""The sorting network, GroCo's loss on it, and which answers algo=groco calls good."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from prefrun import ConfigError, DataError
from prefrun.testing import make_batch, make_trees
from prefrun_listwise.config import GrocoConfig
from prefrun_listwise.groco_algo import Groco, good_answers
from prefrun_listwise.group_order import group_masses, group_order_loss, order_groups
from prefrun_listwise.sorting_network import comparator_weights, rank_masses


def random_rows(rows=3, width=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, width, generator=generator, dtype=torch.float64)


def permutation(values, steepness):
    sizes = torch.full((len(values),), values.shape[1])
    _, layers = comparator_weights(values, sizes, steepness)
    identity = torch.eye(values.shape[1], dtype=values.dtype).expand(len(values), -1, -1)
    return rank_masses(layers, identity)


@pytest.mark.parametrize("width", [1, 2, 5, 6])
def test_a_steep_network_sorts(width):
    values = random_rows(width=width)
    sizes = torch.full((len(values),), width)
    softly, _ = comparator_weights(values, sizes, 1e9)
    torch.testing.assert_close(softly, values.sort(-1).values, atol=1e-6, rtol=0)
    hard = torch.nn.functional.one_hot(values.argsort(-1).argsort(-1), width).double()
    torch.testing.assert_close(permutation(values, 1e9), hard, atol=1e-6, rtol=0)


def test_the_soft_permutation_is_doubly_stochastic_and_gives_the_soft_order():
    values = random_rows()
    soft = permutation(values, 2.0)
    ones = torch.ones(3, 6, dtype=torch.float64)
    torch.testing.assert_close(soft.sum(1), ones)
    torch.testing.assert_close(soft.sum(2), ones)
    sorted_softly, _ = comparator_weights(values, torch.full((3,), 6), 2.0)
    torch.testing.assert_close((values.unsqueeze(1) @ soft).squeeze(1), sorted_softly)


def test_shorter_rows_of_a_batch_are_sorted_as_if_alone():
    values = random_rows(rows=2)
    good = torch.tensor([[1, 0, 0, 1, 0, 0], [0, 1, 0, 0, 0, 0]]).bool()
    mask = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 0, 1, 0, 0]]).bool()
    both = group_order_loss(order_groups(values, good, mask), 1.0)
    alone = torch.tensor([[0, 1, 3]])
    one = order_groups(values[1:].gather(1, alone), good[1:].gather(1, alone), torch.ones(1, 3) > 0)
    torch.testing.assert_close(both[1:], group_order_loss(one, 1.0))


def test_two_items_have_the_closed_form():
    scores = torch.tensor([[0.3, 0.9]], dtype=torch.float64)
    groups = order_groups(scores, torch.tensor([[False, True]]), torch.ones(1, 2).bool())
    expected = -math.log(math.atan(2.0 * 0.6) / math.pi + 0.5)
    assert group_order_loss(groups, 2.0).item() == pytest.approx(expected)


def test_order_inside_a_group_does_not_matter():
    scores = random_rows()
    good = torch.tensor([True, False, True, False, False, True]).expand(3, 6)
    mask = torch.ones_like(good)
    places = torch.tensor([5, 3, 0, 1, 4, 2])
    shuffled = order_groups(scores[:, places], good[:, places], mask)
    torch.testing.assert_close(
        group_order_loss(shuffled, 1.0), group_order_loss(order_groups(scores, good, mask), 1.0)
    )


def test_only_the_hardest_bad_items_count():
    scores = torch.tensor([[0.5, -9.0, 0.1, 0.4, -0.2]], dtype=torch.float64)
    good = torch.tensor([[True, False, False, False, False]])
    mask = torch.ones_like(good)
    kept = order_groups(scores, good, mask, hardest_bad=2)
    assert kept.scores[0, :3].tolist() == [0.1, 0.4, 0.5]
    assert kept.bad.tolist() == [2]
    alone = order_groups(torch.tensor([[0.5, 0.1, 0.4]]).double(), good[:, :3], mask[:, :3])
    torch.testing.assert_close(group_order_loss(kept, 1.0), group_order_loss(alone, 1.0))


def test_gradient_matches_finite_differences_and_separates_the_groups():
    good = torch.tensor([True, False, True, False, False, True]).expand(3, 6)
    mask = torch.ones_like(good)
    leaf = random_rows().requires_grad_()

    def loss(scores):
        return group_order_loss(order_groups(scores, good, mask), 3.0)

    assert torch.autograd.gradcheck(loss, leaf)
    (gradient,) = torch.autograd.grad(loss(leaf).sum(), leaf)
    assert gradient[good].sum() < 0
    assert gradient[~good].sum() > 0


def test_a_huge_steepness_stays_finite_where_the_order_is_wrong():
    for dtype in (torch.float32, torch.float64):
        scores = torch.tensor([[0.9, 0.1, 0.6, 0.2]], dtype=dtype, requires_grad=True)
        good = torch.tensor([[False, True, False, True]])
        groups = order_groups(scores, good, torch.ones_like(good))
        loss = group_order_loss(groups, 1e30)
        (gradient,) = torch.autograd.grad(loss.sum(), scores)
        assert torch.isfinite(loss).all()
        assert torch.isfinite(gradient).all()
        assert loss.item() > 10


def test_masses_add_up_to_one_for_every_item():
    good = torch.tensor([True, False, True, False, False, True]).expand(3, 6)
    groups = order_groups(random_rows(), good, torch.ones_like(good))
    torch.testing.assert_close(group_masses(groups, 1.0).sum(-1), torch.ones(3, 6).double())


def test_good_answers_are_the_tied_best_or_those_at_the_threshold():
    scores = torch.tensor([[3.0, 5.0, 5.0, 1.0], [2.0, 2.0, 0.0, 9.0]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]]).bool()
    best = good_answers(scores, mask, None)
    assert best.tolist() == [[False, True, True, False], [True, True, False, False]]
    above = good_answers(scores, mask, 3.0)
    assert above.tolist() == [[True, True, True, False], [False] * 4]


def test_a_list_of_good_answers_only_has_no_weight():
    batch = make_batch(trees=2, branches=3, ragged=False)
    scores = torch.tensor([[0.9, 0.9, 0.9], [0.9, 0.2, 0.1]], dtype=torch.float64)
    output = Groco(GrocoConfig()).loss(replace(batch, scores=scores))
    (term,) = output.terms.values()
    assert term.weights[0] == 0
    assert term.weights[1] > 0
    assert term.values[0] == 0


def test_a_threshold_that_separates_nothing_is_refused():
    data = SimpleNamespace(train=make_trees(), test=[], objective="overall")
    Groco(GrocoConfig(threshold=0.5)).check(data, None)
    with pytest.raises(DataError, match=r"algo\.threshold=7.*\n.*remedy"):
        Groco(GrocoConfig(threshold=7.0)).check(data, None)


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"steepness": 0.0}, r"algo\.steepness"),
        ({"beta": -1.0}, r"algo\.beta"),
        ({"topk_neg": 0}, r"algo\.topk_neg"),
    ],
)
def test_settings_out_of_range_name_their_key(keys, named):
    with pytest.raises(ConfigError, match=named):
        GrocoConfig(**keys)
