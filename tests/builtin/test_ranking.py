"""The ranking-accuracy formulas: golden vectors, the definitions' edges, and theorem 4.1."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefrun.builtin.ranking import (
    agrees_with_majority,
    dpo_loss,
    flip,
    idealized_log_ratio,
    loss_threshold,
    pairwise_accuracy,
    ranks_correctly,
    token_probabilities,
)
from prefrun.builtin.ranking_golden import compute
from prefrun.testing.golden import compare_case

VECTORS = Path(os.environ.get("PREFRUN_VECTORS") or Path(__file__).parent / "vectors")
CASES = json.loads((VECTORS / "ranking_accuracy.json").read_text(encoding="utf-8"))
RATIOS = st.floats(-500, 500)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_golden_vectors(case: dict[str, Any]) -> None:
    assert compare_case(case, compute(case["inputs"], case["hyper"], case["name"])) == {}


def test_an_equal_likelihood_of_a_pair_is_right_unless_strict() -> None:
    assert ranks_correctly([-3.0, -3.0], [1, 2])
    assert not ranks_correctly([-3.0, -3.0], [1, 2], strict=True)
    assert ranks_correctly([-3.0, -4.0], [1, 2], strict=True)
    assert not ranks_correctly([-3.0, -4.0], [2, 1])


def test_a_list_of_three_is_right_only_as_a_whole() -> None:
    assert ranks_correctly([-1.0, -3.0, -2.0], [1, 3, 2])
    assert not ranks_correctly([-1.0, -3.0, -2.0], [1, 2, 3])
    assert not ranks_correctly([-1.0, -2.0, -2.0], [1, 2, 3]), "a tie is not that order"


def test_equally_good_answers_must_be_closer_than_the_tolerance() -> None:
    assert ranks_correctly([-1.0, -1.009], [1, 1], tie_tolerance=0.01)
    assert not ranks_correctly([-1.009, -1.02], [1, 1], tie_tolerance=0.01)
    assert not ranks_correctly([-1.0, -1.009], [1, 1])
    assert ranks_correctly([-1.0, -1.0], [1, 1])
    assert ranks_correctly([-1.0, -2.0, -2.001], [1, 2, 2], tie_tolerance=0.01)


def test_pairwise_accuracy_leaves_equally_good_answers_out() -> None:
    # pairs of different rank: (0,1) right, (0,2) right, (1,3) wrong, (2,3) right, (0,3) right
    assert pairwise_accuracy([-1.0, -5.0, -2.0, -4.0], [1, 2, 2, 4], 0.5) == 4 / 5
    assert pairwise_accuracy([-1.0, -2.0], [1, 1], 0.5) is None
    assert pairwise_accuracy([-1.0], [1], 0.5) is None


@pytest.mark.parametrize("credit", [0.0, 0.5, 1.0])
def test_pairwise_accuracy_gives_ties_the_stated_credit(credit: float) -> None:
    assert pairwise_accuracy([-2.0, -2.0, -3.0], [1, 2, 3], credit) == (credit + 2) / 3


@given(st.lists(st.tuples(RATIOS, st.integers(1, 4)), min_size=2, max_size=5), st.randoms(), RATIOS)
def test_order_of_answers_and_a_common_shift_change_nothing(
    answers: list[tuple[float, int]], random: Any, shift: float
) -> None:
    shuffled = answers.copy()
    random.shuffle(shuffled)
    moved = [(round(score) + round(shift), rank) for score, rank in shuffled]
    first = [[round(score) for score, _ in answers], [rank for _, rank in answers]]
    second = [[score for score, _ in moved], [rank for _, rank in moved]]
    assert ranks_correctly(*first) == ranks_correctly(*second)
    assert pairwise_accuracy(*first, 0.5) == pytest.approx(pairwise_accuracy(*second, 0.5))


def test_long_answers_keep_their_order_where_probabilities_underflow() -> None:
    assert token_probabilities([-5000.0, -4000.0], [1000, 500]) == pytest.approx(
        [math.exp(-5), math.exp(-8)]
    )


@given(RATIOS, RATIOS, st.floats(0.01, 1.0))
def test_theorem_4_1(policy: float, reference: float, beta: float) -> None:
    """A pair is ranked rightly if and only if its DPO loss is at most the threshold."""
    loss, threshold = dpo_loss(policy, reference, beta), loss_threshold(reference, beta)
    if abs(policy) * beta > 1e-6 and abs(loss - threshold) > 1e-12 * threshold:
        assert ranks_correctly([policy, 0.0], [1, 2]) == (loss <= threshold)


def test_idealized_policy_at_the_ends() -> None:
    assert idealized_log_ratio(1.0, 0.0, 1.0) == pytest.approx(math.log(999))
    assert idealized_log_ratio(0.0, 0.0, 1.0) == pytest.approx(-math.log(999))
    assert idealized_log_ratio(0.5, -7.0, 0.1) == -7.0
    assert math.isfinite(idealized_log_ratio(1.0, -700.0, 0.01)), "linear space would overflow"


def test_agreement_with_the_majority() -> None:
    assert agrees_with_majority(0.1, 0.75)
    assert agrees_with_majority(-0.1, 0.25)
    assert not agrees_with_majority(0.0, 0.75)
    assert not agrees_with_majority(0.1, 0.5)
    assert agrees_with_majority(0.0, 0.5)


def test_flips_name_both_sides() -> None:
    assert {flip(before, after) for before in (True, False) for after in (True, False)} == {
        "correct_to_correct",
        "correct_to_incorrect",
        "incorrect_to_correct",
        "incorrect_to_incorrect",
    }
    assert flip(False, True) == "incorrect_to_correct"
