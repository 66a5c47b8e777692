"""What must hold for every pairwise loss, and the identities between them."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import Tensor

from prefrun_pairwise.catalog import PAIR_LOSSES
from prefrun_pairwise.dpo import LOSSES, PairKnobs
from prefrun_pairwise.mixture import pair_terms
from prefrun_pairwise.pairs import Pairs

COUPLED = [name for name, traits in PAIR_LOSSES.items() if traits.batch_coupled]
SEPARATE = [name for name in LOSSES if name not in COUPLED]
KNOBS = PairKnobs(beta=0.3, label_smoothing=0.1, gamma=0.5)
FIELDS = [field.name for field in dataclasses.fields(Pairs)]


def make_pairs(scale: float = 1.0, dtype: torch.dtype = torch.float64) -> Pairs:
    generator = torch.Generator().manual_seed(0)
    logps = -scale * torch.rand(4, 5, dtype=dtype, generator=generator) * 10
    return Pairs(
        *logps,
        chosen_lengths=torch.tensor([3, 1, 7, 2, 5]),
        rejected_lengths=torch.tensor([2, 6, 1, 4, 5]),
        chosen_nll=-logps[0] / 3,
    )


def select(pairs: Pairs, index: Tensor) -> Pairs:
    return Pairs(*(getattr(pairs, name)[index] for name in FIELDS))


def with_policy(pairs: Pairs, chosen: Tensor, rejected: Tensor) -> Pairs:
    return dataclasses.replace(
        pairs, chosen_logps=chosen, rejected_logps=rejected, chosen_nll=-chosen / 3
    )


def test_catalog_names_every_loss() -> None:
    assert list(LOSSES) == list(PAIR_LOSSES)


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_match_finite_differences(loss: str) -> None:
    pairs = make_pairs()
    leaves = [
        pairs.chosen_logps.clone().requires_grad_(),
        pairs.rejected_logps.clone().requires_grad_(),
    ]
    assert torch.autograd.gradcheck(
        lambda chosen, rejected: LOSSES[loss](with_policy(pairs, chosen, rejected), KNOBS), leaves
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_order_of_pairs_does_not_matter(loss: str) -> None:
    pairs, order = make_pairs(), torch.tensor([3, 0, 4, 1, 2])
    values, moved = LOSSES[loss](pairs, KNOBS), LOSSES[loss](select(pairs, order), KNOBS)
    if loss in COUPLED:
        torch.testing.assert_close(moved.sum(), values.sum())
    else:
        torch.testing.assert_close(moved, values[order])


@pytest.mark.parametrize("loss", SEPARATE)
def test_a_pair_does_not_see_the_others(loss: str) -> None:
    pairs, alone = make_pairs(), torch.tensor([2])
    torch.testing.assert_close(
        LOSSES[loss](select(pairs, alone), KNOBS), LOSSES[loss](pairs, KNOBS)[alone]
    )


@pytest.mark.parametrize("loss", COUPLED)
def test_coupled_losses_match_quantiles(loss: str) -> None:
    pairs = make_pairs()
    alone = torch.cat([LOSSES[loss](select(pairs, torch.tensor([k])), KNOBS) for k in range(5)])
    # One pair at a time there is nothing to sort: this is cDPO, and sorting must change the batch.
    torch.testing.assert_close(alone, LOSSES["cdpo"](pairs, KNOBS))
    assert not torch.allclose(alone.sum(), LOSSES[loss](pairs, KNOBS).sum())


@pytest.mark.parametrize("loss", LOSSES)
def test_empty_batch_has_no_values(loss: str) -> None:
    none = select(make_pairs(), torch.tensor([], dtype=torch.long))
    assert LOSSES[loss](none, KNOBS).shape == (0,)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_huge_log_ratios_stay_finite(loss: str, dtype: torch.dtype) -> None:
    pairs = make_pairs(scale=1e3, dtype=dtype)
    leaves = pairs.chosen_logps.requires_grad_(), pairs.rejected_logps.requires_grad_()
    values = LOSSES[loss](with_policy(pairs, *leaves), KNOBS)
    values.sum().backward()
    assert values.dtype == dtype
    for tensor in (values, leaves[0].grad, leaves[1].grad):
        assert tensor is None or torch.isfinite(tensor).all()


@pytest.mark.parametrize("divergence", ["forward_kl", "js_divergence", "alpha_divergence"])
@pytest.mark.parametrize("loss", ["sigmoid", "sigmoid_norm", "hinge", "exo_pair", "discopop"])
def test_huge_log_ratios_stay_finite_under_divergences(loss: str, divergence: str) -> None:
    pairs = make_pairs(scale=1e3, dtype=torch.float32)
    leaves = pairs.chosen_logps.requires_grad_(), pairs.rejected_logps.requires_grad_()
    knobs = dataclasses.replace(KNOBS, divergence=divergence)
    values = LOSSES[loss](with_policy(pairs, *leaves), knobs)
    values.sum().backward()
    for tensor in (values, leaves[0].grad, leaves[1].grad):
        assert torch.isfinite(tensor).all()


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("sigmoid", math.log(2)),
        ("cdpo", math.log(2)),
        ("robust", math.log(2)),
        ("dpo_gamma", math.log(2)),
        ("aot", math.log(2)),
        ("bco_pair", 2 * math.log(2)),
        ("nca_pair", 2 * math.log(2)),
        ("hinge", 1.0),
        ("apo_zero", 1.0),
        ("apo_down", 1.0),
        ("ipo", (1 / 0.6) ** 2),
        ("sppo_hard", 2 * (1 / 0.6) ** 2),
    ],
)
def test_value_where_policy_is_reference(loss: str, expected: float) -> None:
    pairs = make_pairs()
    start = with_policy(pairs, pairs.ref_chosen_logps, pairs.ref_rejected_logps)
    knobs = dataclasses.replace(KNOBS, gamma=1.0)
    torch.testing.assert_close(
        LOSSES[loss](start, knobs), torch.full((5,), expected, dtype=torch.float64)
    )


def test_smoothing_of_cdpo_and_robust_differ() -> None:
    pairs = make_pairs()
    sigmoid, flipped = (
        LOSSES["sigmoid"](pair, KNOBS)
        for pair in (
            pairs,
            Pairs(
                pairs.rejected_logps,
                pairs.chosen_logps,
                pairs.ref_rejected_logps,
                pairs.ref_chosen_logps,
                pairs.rejected_lengths,
                pairs.chosen_lengths,
                pairs.chosen_nll,
            ),
        )
    )
    torch.testing.assert_close(LOSSES["cdpo"](pairs, KNOBS), 0.9 * sigmoid + 0.1 * flipped)
    torch.testing.assert_close(
        LOSSES["robust"](pairs, KNOBS), (0.9 * sigmoid - 0.1 * flipped) / 0.8
    )
    plain = dataclasses.replace(KNOBS, label_smoothing=0.0)
    for loss in ("cdpo", "robust"):
        torch.testing.assert_close(LOSSES[loss](pairs, plain), sigmoid)


def test_gamma_one_is_dpo_and_gamma_zero_ignores_the_reference() -> None:
    pairs = make_pairs()
    one, zero = (dataclasses.replace(KNOBS, gamma=gamma) for gamma in (1.0, 0.0))
    torch.testing.assert_close(LOSSES["dpo_gamma"](pairs, one), LOSSES["sigmoid"](pairs, one))
    moved = dataclasses.replace(pairs, ref_chosen_logps=pairs.ref_chosen_logps + 9)
    torch.testing.assert_close(LOSSES["dpo_gamma"](moved, zero), LOSSES["dpo_gamma"](pairs, zero))


def test_ipo_by_sum_is_the_paper_and_by_token_is_the_length_average() -> None:
    pairs = make_pairs()
    margins = pairs.chosen_ratios - pairs.rejected_ratios
    by_sum = LOSSES["ipo"](pairs, dataclasses.replace(KNOBS, ipo_normalize="sum"))
    torch.testing.assert_close(by_sum, (margins - 1 / 0.6) ** 2)
    averages = pairs.chosen_ratios / pairs.chosen_lengths - (
        pairs.rejected_ratios / pairs.rejected_lengths
    )
    torch.testing.assert_close(LOSSES["ipo"](pairs, KNOBS), (averages - 1 / 0.6) ** 2)


def test_discopop_equals_its_definition() -> None:
    pairs = make_pairs()
    z = 0.3 * (pairs.chosen_ratios - pairs.rejected_ratios)
    mixing = torch.sigmoid(z / 0.05)
    expected = torch.log1p(torch.exp(-z)) * (1 - mixing) + torch.exp(-z) * mixing
    torch.testing.assert_close(LOSSES["discopop"](pairs, KNOBS), expected)


def test_mixture_scales_each_loss_and_counts_tokens_for_sft() -> None:
    pairs = make_pairs()
    (sigmoid, ones), (nll, tokens) = pair_terms([("sigmoid", 0.8), ("sft", 2.0)], pairs, KNOBS)
    torch.testing.assert_close(sigmoid, 0.8 * LOSSES["sigmoid"](pairs, KNOBS))
    torch.testing.assert_close(nll, 2.0 * pairs.chosen_nll)
    assert ones.tolist() == [1, 1, 1, 1, 1]
    assert tokens.tolist() == [3, 1, 7, 2, 5]


def test_pair_weights_scale_values_only() -> None:
    pairs, weighting = make_pairs(), torch.tensor([0.1, 0.5, 1.0, 0.0, 0.2], dtype=torch.float64)
    [(plain, _)] = pair_terms([("sigmoid", 1.0)], pairs, KNOBS)
    [(weighted, weights)] = pair_terms([("sigmoid", 1.0)], pairs, KNOBS, weighting)
    torch.testing.assert_close(weighted, plain * weighting)
    assert weights.tolist() == [1, 1, 1, 1, 1]
