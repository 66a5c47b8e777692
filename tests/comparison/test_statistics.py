"""Errors and paired tests against scipy and hand-made numbers."""

from __future__ import annotations

import random

import pytest
from scipy.stats import sem, ttest_rel

from prefrun.comparison.statistics import paired_test, standard_error

FIRST = {1: 0.50, 2: 0.55, 3: 0.53}
OTHER = {1: 0.60, 2: 0.61, 3: 0.66}


def seeds(result, values, **options):
    return [result({"win_rate": value}, seed=seed, **options) for seed, value in values.items()]


def prompts(result, values, **options):
    mean = sum(value or 0 for value in values) / len(values)
    return [result({"win_rate": mean}, per_record={"win_rate": values}, **options)]


def test_standard_error_by_hand_and_by_scipy():
    assert standard_error([1.0, 3.0]) == pytest.approx(1.0)
    values = [0.1, 0.5, 0.7, 0.2]
    assert standard_error(values) == pytest.approx(sem(values))
    assert standard_error([0.1]) is None


def test_pairs_are_common_seeds(result):
    test = paired_test(seeds(result, FIRST), seeds(result, OTHER), "win_rate")
    expected = ttest_rel(list(OTHER.values()), list(FIRST.values()))
    assert test.p == pytest.approx(expected.pvalue)
    assert test.difference == pytest.approx((0.10 + 0.06 + 0.13) / 3)
    assert (test.unit, test.n) == ("seeds", 3)


def test_seeds_are_matched_by_number_and_strangers_left_out(result):
    shuffled = {3: OTHER[3], 9: 0.0, 1: OTHER[1], 2: OTHER[2]}
    test = paired_test(seeds(result, {8: 1.0} | FIRST), seeds(result, shuffled), "win_rate")
    expected = ttest_rel(list(OTHER.values()), list(FIRST.values()))
    assert (test.p, test.n) == (pytest.approx(expected.pvalue), 3)


def test_one_seed_is_paired_over_prompts(result):
    generator = random.Random(0)
    ours = [float(generator.random() < 0.5) for _ in range(60)]
    theirs = [float(generator.random() < 0.7) for _ in range(60)]
    test = paired_test(prompts(result, ours), prompts(result, theirs), "win_rate")
    assert test.p == pytest.approx(ttest_rel(theirs, ours).pvalue)
    assert (test.unit, test.n) == ("prompts", 60)


def test_prompts_are_those_of_the_common_seed(result):
    ours = prompts(result, [0.0, 0.0, 1.0], seed=1)
    theirs = prompts(result, [1.0, 0.0, 0.0], seed=5) + prompts(result, [0.0, 0.0, 1.0], seed=1)
    assert paired_test(ours, theirs, "win_rate").p == 1.0


def test_prompts_without_a_number_are_left_out_on_both_sides(result):
    ours = [0.0, None, 1.0, 0.0, 0.5]
    theirs = [1.0, 1.0, None, 0.0, 1.0]
    test = paired_test(prompts(result, ours), prompts(result, theirs), "win_rate")
    assert test.n == 3
    assert test.p == pytest.approx(ttest_rel([1.0, 0.0, 1.0], [0.0, 0.0, 0.5]).pvalue)


def test_prompts_of_other_data_are_not_paired(result):
    ours = prompts(result, [0.0, 1.0, 1.0], fingerprint="a")
    assert paired_test(ours, prompts(result, [1.0, 1.0, 1.0], fingerprint="b"), "win_rate") is None
    assert paired_test(ours, prompts(result, [1.0, 1.0], fingerprint="a"), "win_rate") is None


def test_nothing_to_pair_gives_none(result):
    assert paired_test(seeds(result, {1: 0.5}), seeds(result, {1: 0.6}), "win_rate") is None
    assert paired_test(seeds(result, FIRST), seeds(result, OTHER), "kl") is None
    assert paired_test(seeds(result, FIRST), [], "win_rate") is None


def test_equal_values_give_one(result):
    first = seeds(result, {1: 0.5, 2: 0.75})
    assert paired_test(first, first, "win_rate").p == 1.0


def test_equal_differences_are_no_proof_with_few_seeds(result):
    first = seeds(result, {1: 0.1, 2: 0.2, 3: 0.3})
    other = seeds(result, {1: 0.2, 2: 0.3, 3: 0.4})  # equal but for rounding
    assert paired_test(first, other, "win_rate").p == 0.25
    assert paired_test(first[:2], other[:2], "win_rate").p == 0.5
