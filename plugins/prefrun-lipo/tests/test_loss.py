"""The ranking losses against RAX's numbers and against their own definitions."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from prefrun_lipo.algo import Lipo
from prefrun_lipo.golden import compute
from prefrun_lipo.lambda_weights import LambdaWeighting, lambda_weights, ranks
from prefrun_lipo.loss import LOSSES, lipo_values

CASES = json.loads(Path(__file__).with_name("vectors").joinpath("lipo.json").read_text())
LISTWISE = [name for name, loss in LOSSES.items() if loss.unit == "lists"]
PAIRWISE = [name for name, loss in LOSSES.items() if loss.unit == "pairs"]
REDUCTIONS = ["mean_pairs", "sum_per_list"]


def doubles(values: list) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def random_lists(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Three lists of up to five items, with holes in the mask. No ties."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(3, 5, dtype=torch.float64, generator=generator)
    labels = torch.rand(3, 5, dtype=torch.float64, generator=generator)
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 0, 1, 1, 0], [0, 1, 1, 0, 0]]).bool()
    return scores, labels, mask


def batch_loss(*arguments, **options) -> Tensor:
    values, weights = lipo_values(*arguments, **options)
    return (values * weights).sum() / weights.sum()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_golden(case: dict) -> None:
    arguments = case["inputs"], case["hyper"], case["name"]
    computed = compute(*arguments)
    for key, expected in case["expected"].items():
        if f"golden_vectors/{case['name']}/{key}" not in Lipo.expected_failures:
            torch.testing.assert_close(
                doubles(computed[key]), doubles(expected), rtol=1e-6, atol=1e-12, msg=key
            )


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_gradients_match_finite_differences(loss: str, reduction: str) -> None:
    scores, labels, mask = random_lists()
    # Lambda weights are constants of the step; finite differences this small do not change a rank.
    assert torch.autograd.gradcheck(
        lambda s: lipo_values(loss, s, labels, mask, reduction=reduction)[0],
        scores.requires_grad_(),
    )


@pytest.mark.parametrize("loss", ["list_mle", "point_sigmoid", "softmax", "pair_logistic"])
def test_gradients_at_step_zero_match_finite_differences(loss: str) -> None:
    scores = torch.zeros(2, 4, dtype=torch.float64, requires_grad=True)
    labels = doubles([[0.9, 0.5, 0.1, 0.3], [0.2, 0.2, 0.8, 0.4]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]]).bool()
    assert torch.autograd.gradcheck(lambda s: lipo_values(loss, s, labels, mask)[0], scores)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_order_of_items_and_lists_does_not_matter(loss: str, reduction: str) -> None:
    scores, labels, mask = random_lists()
    values, weights = lipo_values(loss, scores, labels, mask, reduction=reduction)
    items, lists = torch.tensor([3, 0, 4, 1, 2]), torch.tensor([2, 0, 1])
    shuffled = [tensor[lists][:, items] for tensor in (scores, labels, mask)]
    moved_values, moved_weights = lipo_values(loss, *shuffled, reduction=reduction)
    torch.testing.assert_close(moved_values, values[lists])
    torch.testing.assert_close(moved_weights, weights[lists])


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_padding_changes_nothing_even_when_it_holds_garbage(loss: str, reduction: str) -> None:
    scores, labels, mask = random_lists()
    plain = scores.clone().requires_grad_()
    loss_value = batch_loss(loss, plain, labels, mask, reduction=reduction)
    loss_value.backward()

    wide_mask = torch.cat([mask, torch.zeros(3, 2, dtype=torch.bool)], dim=1)
    garbage = torch.full((3, 7), math.nan, dtype=torch.float64)
    garbage[0, 5:] = math.inf
    wide_scores = garbage.masked_scatter(wide_mask, scores[mask]).requires_grad_()
    wide_labels = garbage.masked_scatter(wide_mask, labels[mask])
    wide_value = batch_loss(loss, wide_scores, wide_labels, wide_mask, reduction=reduction)
    wide_value.backward()

    torch.testing.assert_close(wide_value, loss_value)
    torch.testing.assert_close(wide_scores.grad[:, :5], plain.grad)
    assert not wide_scores.grad[~wide_mask].any()


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_list_without_items_has_no_weight(loss: str, reduction: str) -> None:
    scores, labels, mask = random_lists()
    mask[1] = False
    scores.requires_grad_()
    values, weights = lipo_values(loss, scores, labels, mask, reduction=reduction)
    values.sum().backward()
    assert values[1] == 0
    assert weights[1] == 0
    assert not scores.grad[1].any()
    assert torch.isfinite(scores.grad).all()


@pytest.mark.parametrize("loss", PAIRWISE)
def test_all_tied_list_is_exactly_zero(loss: str) -> None:
    scores = doubles([[3.0, -2.0, 0.5]]).requires_grad_()
    values, weights = lipo_values(loss, scores, doubles([[0.4] * 3]), torch.ones(1, 3).bool())
    values.sum().backward()
    assert values.item() == 0
    assert weights.item() == 0
    assert not scores.grad.any()


@pytest.mark.parametrize("loss", PAIRWISE + LISTWISE)
def test_single_item_is_exactly_zero(loss: str) -> None:
    scores = doubles([[3.7]]).requires_grad_()
    values, _ = lipo_values(loss, scores, doubles([[0.4]]), torch.ones(1, 1).bool())
    values.sum().backward()
    assert values.item() == 0
    assert scores.grad.item() == 0


@pytest.mark.parametrize("loss", PAIRWISE)
def test_tied_pair_is_dropped(loss: str) -> None:
    scores, labels = doubles([[0.3, -0.8, 1.1]]), doubles([[0.7, 0.7, 0.1]])
    mask = torch.ones(1, 3).bool()
    values, weights = lipo_values(loss, scores, labels, mask)
    assert weights.item() == 2
    others = [
        lipo_values(loss, scores, labels, torch.tensor([keep]).bool(), list_sizes=torch.tensor([3]))
        for keep in ([1, 0, 1], [0, 1, 1])
    ]
    if loss != "lambda":  # its weights depend on the ranks of the whole list
        torch.testing.assert_close(values, (others[0][0] + others[1][0]) / 2)


@pytest.mark.parametrize("loss", ["pair_logistic", "list_mle", "softmax"])
def test_two_items_are_dpo(loss: str) -> None:
    scores, labels = doubles([[0.4, 1.3]]), doubles([[1.0, 0.0]])
    values, _ = lipo_values(loss, scores, labels, torch.ones(1, 2).bool())
    assert values.item() == pytest.approx(math.log1p(math.exp(0.9)))


def test_two_items_lambda_is_scaled_dpo() -> None:
    scores, labels = doubles([[0.4, 1.3]]), doubles([[0.9, 0.2]])
    paper = LambdaWeighting(scale="paper", log_base="e")
    values, _ = lipo_values("lambda", scores, labels, torch.ones(1, 2).bool(), weighting=paper)
    gap = (2**0.9 - 2**0.2) * (1 / math.log(2) - 1 / math.log(3))
    assert values.item() == pytest.approx(gap * math.log1p(math.exp(0.9)))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_huge_scores_stay_finite(loss: str, dtype: torch.dtype) -> None:
    scores = torch.tensor([[-2e4, 0.0, 3e4], [5e3, -5e3, 0.0]], dtype=dtype, requires_grad=True)
    labels = torch.tensor([[0.9, 0.5, 0.1], [0.3, 0.3, 1.0]], dtype=dtype)
    values, _ = lipo_values(loss, scores, labels, torch.ones(2, 3).bool())
    values.sum().backward()
    assert values.dtype == dtype
    assert torch.isfinite(values).all()
    assert torch.isfinite(scores.grad).all()


def test_lambda_weights_are_constants() -> None:
    scores, labels, mask = random_lists()
    scores.requires_grad_()
    assert not lambda_weights(scores, labels, mask).requires_grad
    values, weights = lipo_values("lambda", scores, labels, mask, reduction="sum_per_list")
    (gradient,) = torch.autograd.grad(values.sum(), scores)
    assert not weights.requires_grad

    delta = lambda_weights(scores, labels, mask)
    margins = (scores.unsqueeze(-1) - scores.unsqueeze(-2)).detach()
    pulls = torch.where(
        labels.unsqueeze(-1) > labels.unsqueeze(-2), delta * torch.sigmoid(-margins), 0.0
    )
    torch.testing.assert_close(gradient, pulls.sum(-2) - pulls.sum(-1))


def test_lambda_weight_is_the_change_of_dcg() -> None:
    scores, labels, mask = random_lists()
    order = ranks(scores, mask)
    discounts = 1 / torch.log(1.0 + order.double())
    gains = torch.exp2(labels) - 1
    dcg = (gains * discounts)[0].sum()
    swapped = discounts[0].clone()
    swapped[[1, 3]] = discounts[0][[3, 1]]
    weights = lambda_weights(scores, labels, mask, LambdaWeighting(scale="paper", log_base="e"))
    torch.testing.assert_close(weights[0, 1, 3], (dcg - (gains[0] * swapped).sum()).abs())


@pytest.mark.parametrize(
    ("knobs", "expected"),
    [
        # [pairs (0,1), (0,2), (1,2)] from rax 0.4.0, scores [2, 1, 3], labels [0.9, 0.5, 0.1]
        ({}, [0.17748277827895664, 0.8794492088731725, 0.513660149755203]),
        ({"topn": 1}, [0.0, 2.382877561611965, 1.027320299510406]),
        ({"normalize": True}, [0.15256936438884414, 0.7560001489223958, 0.4415572221708999]),
        ({"gain": "linear"}, [0.15711570428574892, 0.8857685914285022, 0.6]),
    ],
)
def test_knobs_of_rax(knobs: dict, expected: list[float]) -> None:
    scores, labels = doubles([[2.0, 1.0, 3.0]]), doubles([[0.9, 0.5, 0.1]])
    weights = lambda_weights(scores, labels, torch.ones(1, 3).bool(), LambdaWeighting(**knobs))
    torch.testing.assert_close(weights[0][[0, 0, 1], [1, 2, 2]], doubles(expected))
    torch.testing.assert_close(weights, weights.transpose(1, 2))


def test_constant_gain_and_discount_give_pair_logistic() -> None:
    scores, labels, mask = random_lists()
    constant = LambdaWeighting(gain="constant", discount="constant", scale="paper")
    lambdas, _ = lipo_values("lambda", scores, labels, mask, weighting=constant)
    torch.testing.assert_close(lambdas, lipo_values("pair_logistic", scores, labels, mask)[0])


def test_constant_discount_keeps_the_cut() -> None:
    scores, labels = doubles([[4.0, 3.0, 2.0]]), doubles([[0.1, 0.5, 0.9]])
    cut = LambdaWeighting(gain="constant", discount="constant", scale="paper", topn=1)
    weights = lambda_weights(scores, labels, torch.ones(1, 3).bool(), cut)
    assert weights[0, 0, 1:].tolist() == [1.0, 1.0]
    assert weights[0, 1, 2] == 0.0


def test_rax_scale_counts_items_unless_told_otherwise() -> None:
    scores, labels, mask = random_lists()
    paper = lambda_weights(scores, labels, mask, LambdaWeighting(scale="paper"))
    scale = doubles([5.0, 3.0, 2.0]).view(3, 1, 1)
    torch.testing.assert_close(lambda_weights(scores, labels, mask), paper * scale)
    padded = lambda_weights(scores, labels, mask, list_sizes=torch.full((3,), 5))
    torch.testing.assert_close(padded, paper * 5)


def test_mean_pairs_weighs_lists_by_their_pairs() -> None:
    scores, labels, mask = random_lists()
    sums, ones = lipo_values("pair_hinge", scores, labels, mask, reduction="sum_per_list")
    means, pairs = lipo_values("pair_hinge", scores, labels, mask)
    assert ones.tolist() == [1, 1, 1]
    assert pairs.tolist() == [10, 3, 1]
    torch.testing.assert_close(means * pairs, sums)
    _, items = lipo_values("point_mse", scores, labels, mask)
    assert items.tolist() == [5, 3, 2]


def test_softmax_of_all_zero_labels() -> None:
    scores, labels = doubles([[0.3, -0.8, 1.1]]), torch.zeros(1, 3, dtype=torch.float64)
    mask = torch.tensor([[1, 1, 0]]).bool()
    raw, _ = lipo_values("softmax", scores, labels, mask)
    even, _ = lipo_values("softmax", scores, labels, mask, softmax_labels="normalized")
    assert raw.item() == 0
    assert even.item() == pytest.approx(-torch.log_softmax(scores[0, :2], 0).mean().item())


def test_point_sigmoid_clips_labels() -> None:
    scores, mask = doubles([[0.3, -0.8]]), torch.ones(1, 2).bool()
    outside, inside = (
        lipo_values("point_sigmoid", scores, doubles([labels]), mask)[0]
        for labels in ([1.7, -0.4], [1.0, 0.0])
    )
    torch.testing.assert_close(outside, inside)


def test_ranks_break_ties_by_position_and_put_padding_last() -> None:
    keys = doubles([[0.5, 2.0, 0.5, math.nan, -math.inf]])
    mask = torch.tensor([[1, 1, 1, 0, 1]]).bool()
    assert ranks(keys, mask).tolist() == [[2, 1, 3, 5, 4]]


@pytest.mark.parametrize(
    "knobs",
    [
        {"gain": "square"},
        {"log_base": "10"},
        {"topn": 0},
        {"normalize": True, "gain": "constant"},
        {"normalize": True, "discount": "constant"},
    ],
)
def test_meaningless_weighting_is_refused(knobs: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(knobs))):
        LambdaWeighting(**knobs)


@pytest.mark.parametrize(
    ("loss", "options", "word"),
    [
        ("lamda", {}, "lamda"),
        ("lambda", {"reduction": "mean"}, "mean_pairs"),
        ("softmax", {"softmax_labels": "norm"}, "normalized"),
    ],
)
def test_unknown_words_are_refused(loss: str, options: dict, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        lipo_values(loss, *random_lists(), **options)
