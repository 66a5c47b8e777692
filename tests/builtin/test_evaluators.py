"""What each evaluator reports, on numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from prefrun.builtin.config import (
    KLConfig,
    RankingAccuracyConfig,
    ResponseLengthConfig,
    RewardConfig,
    TiePolicy,
    WinRateConfig,
)
from prefrun.builtin.evaluators import KL, MeanReward, RankingAccuracy, ResponseLength, WinRate
from prefrun.evaluation.evaluator import Estimate, NotApplicable
from prefrun.policy.policy import BranchLogps
from prefrun.records.tree import Branch, PreferenceTree, Step
from prefrun.testing import check_evaluator

Answer = Sequence[float]
"""Log-probs of one answer's tokens."""


def make_tree(*scores: float | None) -> PreferenceTree:
    """A record whose answers have these scores."""
    return PreferenceTree(
        "record-7",
        "prompt",
        tuple(
            Branch((Step(f"answer {number}"),), {} if score is None else {"overall": score})
            for number, score in enumerate(scores)
        ),
    )


def make_context(
    trees: Sequence[PreferenceTree] = (),
    own: Sequence[Sequence[Answer]] = (),
    start: Sequence[Sequence[Answer]] | None = None,
    **parts: Any,
) -> Any:
    """A context of these log-probs by record, answer and token."""
    return SimpleNamespace(
        trees=trees,
        objective="overall",
        seed=0,
        bootstrap=100,
        logps=lambda: [_logps(tree) for tree in own],
        baseline_logps=lambda: [_logps(tree) for tree in (own if start is None else start)],
        **parts,
    )


def _logps(answers: Sequence[Answer]) -> BranchLogps:
    return BranchLogps(tuple(torch.tensor(answer) for answer in answers))


def rank(context: Any, **keys: Any) -> dict[str, Estimate]:
    return RankingAccuracy(RankingAccuracyConfig(**keys)).evaluate(context)


def values(estimates: dict[str, Estimate]) -> dict[str, float]:
    return {name: estimate.value for name, estimate in estimates.items()}


def test_raw_and_normalized_accuracy_differ_where_length_decides() -> None:
    # the better answer is long: less likely as a whole, likelier per token
    context = make_context([make_tree(2.0, 1.0)], [[[-1.0] * 4, [-3.0]]])
    found = values(rank(context))
    assert found["ranking_accuracy"] == found["pairwise_ranking_accuracy"] == 0.0
    assert found["ranking_accuracy_normalized"] == 1.0
    assert found["pairwise_ranking_accuracy_normalized"] == 1.0


def test_a_list_counts_as_a_whole_and_pair_by_pair() -> None:
    trees = [make_tree(4.0, 3.0, 2.0, 1.0), make_tree(4.0, 3.0, 2.0, 1.0)]
    right = [[-1.0], [-2.0], [-3.0], [-4.0]]
    one_swap = [[-1.0], [-3.0], [-2.0], [-4.0]]
    found = rank(make_context(trees, [right, one_swap]))
    assert found["ranking_accuracy"].per_record == (1.0, 0.0)
    assert found["ranking_accuracy"].value == 0.5
    assert found["pairwise_ranking_accuracy"].per_record == (1.0, 5 / 6)


def test_implied_rewards_compare_with_the_start_not_with_zero() -> None:
    # still less likely than the other answer, but raised most since the start
    context = make_context([make_tree(2.0, 1.0)], [[[-5.0], [-2.0]]], [[[-9.0], [-2.5]]])
    found = values(rank(context))
    assert found["implied_reward_accuracy"] == 1.0
    assert found["ranking_accuracy"] == 0.0


def test_implied_rewards_of_the_starting_model_are_at_chance() -> None:
    context = make_context([make_tree(3.0, 2.0, 1.0)], [[[-1.0], [-2.0], [-9.0]]])
    assert rank(context)["implied_reward_accuracy"].value == 0.5


@pytest.mark.parametrize(("policy", "expected"), [(TiePolicy.ge, 1.0), (TiePolicy.strict, 0.0)])
def test_equal_likelihoods_count_by_tie_policy(policy: TiePolicy, expected: float) -> None:
    found = values(rank(make_context([make_tree(2.0, 1.0)], [[[-2.0], [-2.0]]]), tie_policy=policy))
    assert found["ranking_accuracy"] == found["pairwise_ranking_accuracy"] == expected
    assert found["implied_reward_accuracy"] == 0.5


def test_equally_good_answers_need_the_tolerance() -> None:
    context = make_context([make_tree(1.0, 1.0), make_tree(2.0, 1.0)], [[[-1.0], [-1.5]]] * 2)
    assert rank(context)["ranking_accuracy"].per_record == (0.0, 1.0)
    assert rank(context, tie_tolerance=0.6)["ranking_accuracy"].per_record == (1.0, 1.0)
    assert rank(context)["pairwise_ranking_accuracy"].per_record == (None, 1.0)


def test_answers_equal_token_by_token_are_left_out_and_counted() -> None:
    context = make_context([make_tree(2.0, 1.0)] * 3, [[[-2.0], [-2.0]]] * 2 + [[[-1.0], [-2.0]]])
    logps = context.logps()
    logps[1] = replace(logps[1], has_equal=True)
    context.logps = lambda: logps
    found = rank(context)
    assert found["ranking_accuracy"].per_record == (1.0, None, 1.0)
    assert found["implied_reward_accuracy"].per_record == (0.5, None, 0.5)
    words = "left out 1 of 3 held-out records: two of the answers are equal token by token"
    assert {estimate.left_out for estimate in found.values()} == {words}
    logps[:] = [replace(each, has_equal=True) for each in logps]
    with pytest.raises(NotApplicable, match="left out 3 of 3"):
        rank(context)


def test_a_prompt_with_one_answer_or_an_empty_answer_has_no_number() -> None:
    trees = [make_tree(1.0), make_tree(2.0, 1.0), make_tree(2.0, 1.0)]
    logps: list[list[list[float]]] = [[[-1.0]], [[], [-1.0]], [[-1.0], [-2.0]]]
    for estimate in rank(make_context(trees, logps)).values():
        assert estimate.per_record is not None
        assert estimate.per_record[:2] == (None, None)
    assert rank(make_context(trees, logps))["ranking_accuracy"].value == 1.0


def test_data_without_an_order_are_not_applicable() -> None:
    with pytest.raises(NotApplicable, match="different quality"):
        rank(make_context([make_tree(1.0), make_tree(2.0, 2.0)], [[[-1.0]], [[-1.0], [-2.0]]]))
    with pytest.raises(NotApplicable, match=r"record-7.*overall"):
        rank(make_context([make_tree(None, None)], [[[-1.0], [-2.0]]]))


def test_every_metric_has_its_direction_and_an_interval_around_it() -> None:
    trees = [make_tree(2.0, 1.0)] * 4
    logps = [[[-1.0], [-2.0]], [[-2.0], [-1.0]]] * 2
    found = rank(make_context(trees, logps))
    assert set(found) == set(RankingAccuracy.directions)
    accuracy = found["ranking_accuracy"]
    assert accuracy.low is not None
    assert accuracy.high is not None
    assert accuracy.low < accuracy.value == 0.5 < accuracy.high


def make_judged(own: list[float], start: list[float]) -> Any:
    return make_context(rewards=lambda: own, baseline_rewards=lambda: start)


def test_win_rate_counts_a_tie_one_half() -> None:
    context = make_judged([2.0, 1.0, 0.0, 5.0], [1.0, 1.0, 1.0, 1.0])
    win_rate = WinRate(WinRateConfig()).evaluate(context)["win_rate"]
    assert win_rate.per_record == (1.0, 0.5, 0.0, 1.0)
    assert win_rate.value == 0.625


def test_rewards_within_the_margin_are_a_tie() -> None:
    context = make_judged([2.0, 1.5, 0.0], [1.0, 1.0, 1.0])
    win_rate = WinRate(WinRateConfig(tie_margin=0.5)).evaluate(context)["win_rate"]
    assert win_rate.per_record == (1.0, 0.5, 0.0)


def test_mean_reward() -> None:
    reward = MeanReward(RewardConfig()).evaluate(make_judged([1.0, 2.0, 6.0], []))["reward"]
    assert reward.value == 3.0
    assert reward.per_record == (1.0, 2.0, 6.0)


def test_kl_of_the_starting_model_is_zero_without_asking_it() -> None:
    policy = object()
    context = make_context([make_tree(1.0)] * 2, policy=policy, baseline=policy)
    assert KL(KLConfig()).evaluate(context)["kl"] == Estimate(0.0, 0.0, 0.0, (0.0, 0.0))


def test_kl_is_taken_on_the_policy_s_own_answers_against_the_baseline() -> None:
    trees, baseline = [make_tree(1.0)] * 2, object()
    seen: list[Any] = []

    def kl(*arguments: Any) -> list[float]:
        seen.append(arguments)
        return [1.0, 3.0]

    policy = SimpleNamespace(kl=kl)
    context = make_context(
        trees, policy=policy, baseline=baseline, responses=lambda: ["one", "two"]
    )
    assert KL(KLConfig()).evaluate(context)["kl"].value == 2.0
    assert seen == [(trees, ["one", "two"], baseline)]


def test_response_length_is_in_the_policy_s_tokens() -> None:
    policy = SimpleNamespace(count_tokens=lambda responses: [len(text) for text in responses])
    context = make_context(policy=policy, responses=lambda: ["a", "abc"])
    length = ResponseLength(ResponseLengthConfig()).evaluate(context)["response_length"]
    assert length.value == 2.0
    assert length.per_record == (1, 3)


def test_mean_reward_conforms() -> None:
    assert not check_evaluator("reward").failed
