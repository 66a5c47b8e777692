"""Errors, intervals and paired tests against scipy, statsmodels and hand-made numbers."""

from __future__ import annotations

import gc
import random
from itertools import product
from statistics import fmean, stdev

import pytest
from scipy.stats import sem, ttest_rel

from prefrun.comparison.statistics import holm, standard_error, test_against

FIRST = {1: 0.50, 2: 0.55, 3: 0.53}
OTHER = {1: 0.60, 2: 0.61, 3: 0.66}


def seeds(result, values, **options):
    return [result({"win_rate": value}, seed=seed, **options) for seed, value in values.items()]


def prompts(result, values, **options):
    known = [value for value in values if value is not None]
    return [result({"win_rate": fmean(known)}, per_record={"win_rate": values}, **options)]


def paired(first, other, metric="win_rate"):
    """The tests of OTHER against FIRST, by unit."""
    return (
        test_against(first, {"first": first, "other": other}, [metric])
        .get("other", {})
        .get(metric, {})
    )


def flipped_p(differences):
    """The permutation test by counting all ways to flip signs."""
    sums = [
        sum(s * d for s, d in zip(signs, differences, strict=True))
        for signs in product((1, -1), repeat=len(differences))
    ]
    observed, tiny = sum(differences), 1e-12
    upper = sum(value >= observed - tiny for value in sums) / len(sums)
    lower = sum(value <= observed + tiny for value in sums) / len(sums)
    return min(1.0, 2 * min(upper, lower))


def test_standard_error_by_hand_and_by_scipy():
    assert standard_error([1.0, 3.0]) == pytest.approx(1.0)
    values = [0.1, 0.5, 0.7, 0.2]
    assert standard_error(values) == pytest.approx(sem(values))
    assert standard_error([0.1]) is None


def test_pairs_are_common_seeds(result):
    test = paired(seeds(result, FIRST), seeds(result, OTHER))["seeds"]
    differences = [0.10, 0.06, 0.13]
    assert test.p == test.p_holm == pytest.approx(flipped_p(differences)) == 0.25
    assert test.difference == pytest.approx(fmean(differences))
    assert test.effect == pytest.approx(fmean(differences) / stdev(differences))
    assert 0.06 - 1e-9 <= test.low < test.difference < test.high <= 0.13 + 1e-9
    assert (test.unit, test.n) == ("seeds", 3)


def test_seeds_are_matched_by_number_and_strangers_left_out(result):
    shuffled = {3: OTHER[3], 9: 0.0, 1: OTHER[1], 2: OTHER[2]}
    whole = paired(seeds(result, FIRST), seeds(result, OTHER))
    assert paired(seeds(result, {8: 1.0} | FIRST), seeds(result, shuffled)) == whole


def test_many_seeds_give_what_counting_all_flips_gives(result):
    generator = random.Random(1)
    differences = [generator.gauss(0.3, 0.5) for _ in range(10)]
    first = seeds(result, dict.fromkeys(range(10), 0.0))
    test = paired(first, seeds(result, dict(enumerate(differences))))["seeds"]
    assert test.p == pytest.approx(flipped_p(differences))


def test_prompts_are_a_unit_of_their_own(result):
    generator = random.Random(0)
    ours = [generator.gauss(0.0, 1.0) for _ in range(60)]
    theirs = [value + generator.gauss(0.4, 1.0) for value in ours]
    tests = paired(prompts(result, ours), prompts(result, theirs))
    assert set(tests) == {"prompts"}  # one seed cannot be tested over seeds
    test = tests["prompts"]
    differences = [y - x for x, y in zip(ours, theirs, strict=True)]
    assert test.n == 60
    assert test.difference == pytest.approx(fmean(differences))
    assert test.p == pytest.approx(ttest_rel(theirs, ours).pvalue, abs=0.005)  # nearly the same
    spread = 1.96 * sem(differences)
    assert test.low == pytest.approx(fmean(differences) - spread, abs=0.05)
    assert test.high == pytest.approx(fmean(differences) + spread, abs=0.05)


def test_a_prompt_counts_with_its_mean_over_common_seeds(result):
    ours = prompts(result, [0.0, 0.0, 1.0], seed=1) + prompts(result, [1.0, 0.0, 0.0], seed=2)
    theirs = prompts(result, [1.0, 0.0, 1.0], seed=1) + prompts(result, [1.0, 1.0, 0.0], seed=2)
    stranger = prompts(result, [0.0, 0.0, 0.0], seed=7)
    test = paired(ours, theirs + stranger)["prompts"]
    assert (test.difference, test.n) == (pytest.approx(1 / 3), 3)


def test_prompts_of_data_drawn_by_seed_are_all_units(result):
    ours = [prompts(result, [0.0, 1.0], seed=s, fingerprint=f"data{s}")[0] for s in (1, 2)]
    theirs = [prompts(result, [1.0, 1.0], seed=s, fingerprint=f"data{s}")[0] for s in (1, 2)]
    test = paired(ours, theirs)["prompts"]
    assert (test.difference, test.n) == (0.5, 4)


def test_prompts_without_a_number_are_left_out_on_both_sides(result):
    ours = [0.0, None, 1.0, 0.0, 0.5]
    theirs = [1.0, 1.0, None, 0.0, 1.0]
    test = paired(prompts(result, ours), prompts(result, theirs))["prompts"]
    assert test.n == 3
    assert test.p == flipped_p([1.0, 0.0, 0.5])


def test_prompts_of_other_data_are_not_paired(result):
    ours = prompts(result, [0.0, 1.0, 1.0], fingerprint="a")
    assert not paired(ours, prompts(result, [1.0, 1.0, 1.0], fingerprint="b"))
    assert not paired(ours, prompts(result, [1.0, 1.0], fingerprint="a"))


def test_nothing_to_pair_gives_no_test(result):
    assert not paired(seeds(result, {1: 0.5}), seeds(result, {1: 0.6}))
    assert not paired(seeds(result, FIRST), seeds(result, OTHER), "kl")
    assert not paired(seeds(result, FIRST), [])


def test_equal_values_give_one_and_no_effect(result):
    test = paired(seeds(result, {1: 0.5, 2: 0.75}), seeds(result, {1: 0.5, 2: 0.75}))["seeds"]
    assert (test.p, test.effect, test.low, test.high) == (1.0, None, 0.0, 0.0)


def test_equal_differences_are_no_proof_with_few_seeds(result):
    first = seeds(result, {1: 0.1, 2: 0.2, 3: 0.3})
    other = seeds(result, {1: 0.2, 2: 0.3, 3: 0.4})  # equal but for rounding
    assert paired(first, other)["seeds"].p == 0.25
    assert paired(first[:2], other[:2])["seeds"].p == 0.5


def test_the_other_way_round_only_signs_change(result):
    one, two = seeds(result, FIRST), seeds(result, OTHER)
    there, back = paired(one, two)["seeds"], paired(two, one)["seeds"]
    assert (back.difference, back.effect) == pytest.approx((-there.difference, -there.effect))
    assert back.p == pytest.approx(there.p)
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low), abs=0.02)


def test_the_same_runs_give_the_same_numbers(result):
    generator = random.Random(3)
    ours = prompts(result, [generator.random() for _ in range(40)])
    theirs = prompts(result, [generator.random() for _ in range(40)])
    assert paired(ours, theirs) == paired(ours, theirs)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.2]) == [0.2]


def test_each_metric_and_unit_is_corrected_by_itself(result):
    generator = random.Random(2)
    rows = {
        name: [
            result({"win_rate": generator.random() + shift, "kl": generator.random()}, seed=seed)
            for seed in range(6)
        ]
        for name, shift in [("base", 0.0), ("near", 0.1), ("far", 2.0), ("farther", 3.0)]
    }
    tests = test_against(rows["base"], rows, ["win_rate", "kl"])
    for metric in ("win_rate", "kl"):
        found = [tests[name][metric]["seeds"] for name in ("near", "far", "farther")]
        assert [test.p_holm for test in found] == pytest.approx(holm([test.p for test in found]))
    assert tests["far"]["win_rate"]["seeds"].p == 2 / 2**6


def test_garbage_collection_is_left_as_it_was(result):
    rows = {name: seeds(result, FIRST) for name in ("base", "one", "two")}
    before = gc.get_freeze_count()
    test_against(rows["base"], rows, ["win_rate"])
    assert gc.get_freeze_count() == before


test_against.__test__ = False  # pytest would take it for a test
