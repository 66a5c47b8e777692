"""From token log-probs to pairs: masks, lengths, LD-DPO and WPO weights."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from prefrun_pairwise.dpo import PairKnobs, sigmoid
from prefrun_pairwise.pairs import AnswerTokens, Pairs, implied_rewards, pairs_from_tokens
from prefrun_pairwise.tokens import mean_logps, sum_logps, token_nll, wpo_weights

CHOSEN_MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]]).bool()
REJECTED_MASK = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 0, 0]]).bool()


def answers(mask: Tensor, seed: int, garbage: float = 0.0, width: int = 0) -> AnswerTokens:
    """Random log-probs; padding, widened by `width` columns, holds `garbage`."""
    generator = torch.Generator().manual_seed(seed)
    policy, reference = -torch.rand(2, *mask.shape, dtype=torch.float64, generator=generator)
    wide_mask = torch.nn.functional.pad(mask, (0, width))
    padded = [
        torch.nn.functional.pad(logps, (0, width)).masked_fill(~wide_mask, garbage)
        for logps in (policy, reference)
    ]
    return AnswerTokens(padded[0].requires_grad_(), padded[1], wide_mask)


def read(pairs: Pairs) -> list[Tensor]:
    return [
        pairs.chosen_logps,
        pairs.rejected_logps,
        pairs.ref_chosen_logps,
        pairs.ref_rejected_logps,
        pairs.chosen_lengths,
        pairs.rejected_lengths,
        pairs.chosen_nll,
    ]


@pytest.mark.parametrize("ld_alpha", [None, 0.0, 0.4])
def test_padding_changes_nothing_even_when_it_holds_garbage(ld_alpha: float | None) -> None:
    plain = [answers(CHOSEN_MASK, 1), answers(REJECTED_MASK, 2)]
    padded = [answers(CHOSEN_MASK, 1, math.nan, 3), answers(REJECTED_MASK, 2, math.nan, 3)]
    expected, pairs = pairs_from_tokens(*plain, ld_alpha), pairs_from_tokens(*padded, ld_alpha)
    for value, wanted in zip(read(pairs), read(expected), strict=True):
        torch.testing.assert_close(value, wanted)
    for built in (expected, pairs):
        sigmoid(built, PairKnobs()).sum().backward()
    for side, wanted in zip(padded, plain, strict=True):
        torch.testing.assert_close(side.policy.grad[:, :4], wanted.policy.grad)
        assert not side.policy.grad[~side.mask].any()


def test_sums_and_lengths() -> None:
    chosen, rejected = answers(CHOSEN_MASK, 1), answers(REJECTED_MASK, 2)
    pairs = pairs_from_tokens(chosen, rejected)
    torch.testing.assert_close(pairs.chosen_logps[1], chosen.policy[1, :2].sum())
    torch.testing.assert_close(pairs.ref_rejected_logps[1], rejected.reference[1, :3].sum())
    torch.testing.assert_close(pairs.chosen_nll[0], -chosen.policy[0].mean())
    assert pairs.chosen_lengths.tolist() == [4, 2, 0]
    assert pairs.rejected_lengths.tolist() == [2, 3, 2]


def test_empty_answer_is_a_legal_answer() -> None:
    chosen = answers(CHOSEN_MASK, 1)
    pairs = pairs_from_tokens(chosen, answers(REJECTED_MASK, 2))
    assert pairs.chosen_logps[2] == 0
    assert pairs.chosen_ratios[2] == 0
    assert pairs.chosen_nll[2] == 0
    sigmoid(pairs, PairKnobs()).sum().backward()
    assert torch.isfinite(chosen.policy.grad).all()


def test_ld_alpha_weighs_what_exceeds_the_shorter_answer() -> None:
    chosen, rejected = answers(CHOSEN_MASK, 1), answers(REJECTED_MASK, 2)
    pairs = pairs_from_tokens(chosen, rejected, ld_alpha=0.4)
    for logps, summed in (
        (chosen.policy, pairs.chosen_logps),
        (chosen.reference, pairs.ref_chosen_logps),
    ):
        torch.testing.assert_close(summed[0], logps[0, :2].sum() + 0.4 * logps[0, 2:].sum())
        torch.testing.assert_close(summed[1], logps[1, :2].sum())
    torch.testing.assert_close(
        pairs.rejected_logps[1], rejected.policy[1, :2].sum() + 0.4 * rejected.policy[1, 2]
    )
    torch.testing.assert_close(pairs.rejected_logps[2], 0.4 * rejected.policy[2, :2].sum())


def test_ld_alpha_one_is_the_plain_sum() -> None:
    sides = answers(CHOSEN_MASK, 1), answers(REJECTED_MASK, 2)
    for value, wanted in zip(
        read(pairs_from_tokens(*sides, ld_alpha=1.0)), read(pairs_from_tokens(*sides)), strict=True
    ):
        torch.testing.assert_close(value, wanted)


def test_answers_may_start_late() -> None:
    mask = torch.tensor([[0, 1, 1, 1]]).bool()
    logps = torch.tensor([[-9.0, -1.0, -2.0, -4.0]])
    late = AnswerTokens(logps, logps, mask)
    short = AnswerTokens(logps, logps, torch.tensor([[0, 0, 1, 0]]).bool())
    assert pairs_from_tokens(late, short, ld_alpha=0.5).chosen_logps.item() == -4.0
    assert mean_logps(logps, mask).item() == pytest.approx(-7 / 3)


def test_token_nll_is_the_mean_over_the_batch_of_tokens() -> None:
    chosen = answers(CHOSEN_MASK, 1, math.nan)
    values, weights = token_nll(chosen.policy, chosen.mask)
    torch.testing.assert_close(
        (values * weights).sum() / weights.sum(), -chosen.policy[chosen.mask].mean()
    )


def test_wpo_weight_is_one_where_every_token_is_as_likely_as_expected() -> None:
    logps = torch.full((2, 3), math.log(0.25))
    mask = torch.tensor([[1, 1, 1], [1, 0, 0]]).bool()
    uniform = torch.full((2, 3), math.log(4 * 0.25**2))
    torch.testing.assert_close(wpo_weights(logps, uniform, mask), torch.ones(2))


def test_wpo_weights_carry_no_gradient_and_ignore_padding() -> None:
    chosen = answers(CHOSEN_MASK, 1, math.nan)
    collision = torch.full_like(chosen.policy.detach(), -0.3)
    weights = wpo_weights(chosen.policy, collision, chosen.mask)
    assert not weights.requires_grad
    expected = (chosen.policy[1, :2].mean() + 0.3).exp()
    torch.testing.assert_close(weights[1], expected.detach())
    assert weights[2] == 1


def test_implied_rewards_count_a_tie_as_wrong() -> None:
    logps = torch.tensor([[-1.0, -2.0], [-2.0, -2.0], [-2.0, -1.0], [-3.0, -1.0]])
    pairs = Pairs(*logps, *torch.ones(2, 2), chosen_nll=-logps[0])
    rewards = implied_rewards(pairs, beta=0.5)
    assert rewards["rewards/accuracies"].item() == 0.0
    assert implied_rewards(
        Pairs(*logps[[0, 1, 3, 3]], *torch.ones(2, 2), chosen_nll=-logps[0]), beta=0.5
    )["rewards/accuracies"].item() == pytest.approx(0.5)
    assert rewards["rewards/margins"].item() == pytest.approx(0.0)


def test_sum_logps_weights_tokens() -> None:
    logps, mask = torch.tensor([[-1.0, -2.0, math.nan]]), torch.tensor([[True, True, False]])
    assert sum_logps(logps, mask, torch.tensor([[1.0, 0.5, 0.5]])).item() == -2.0
