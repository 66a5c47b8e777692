"""Chain arithmetic: the exercises, their verifier, the data made of them."""

from __future__ import annotations

from random import Random

import pytest

from prefrun.errors import ConfigError, DataError
from prefrun.records.tree import PreferenceTree
from prefrun.testing import check_data, check_reward
from prefrun_tpo.chain import Chain, corrupt, draw, is_for_trees, parse, solve, verify
from prefrun_tpo.chain_data import ChainArithmetic
from prefrun_tpo.config import ChainArithmeticConfig
from prefrun_tpo.verdicts import ChainVerifier

CHAIN = Chain(4, (3, 5, 9))
GOLD = "Step 1: +3 = 7\nStep 2: +5 = 2\nStep 3: +9 = 1"


def test_the_gold_solution_and_its_prompt():
    assert CHAIN.prompt == "Start 4: +3 +5 +9\n"
    assert parse(CHAIN.prompt) == CHAIN
    assert "".join(solve(CHAIN, 3, 0.0, Random(0))) == GOLD


@pytest.mark.parametrize(
    ("text", "answer", "right", "steps"),
    [
        (GOLD, True, 3, 3),
        (GOLD.replace("\n", " "), True, 3, 3),
        ("Step 1: +3 = 7\nStep 2: +5 = 3\nStep 3: +9 = 2", False, 1, 3),
        ("Step 1: +3 = 8\nStep 2: +5 = 3\nStep 3: +9 = 1", True, 0, 3),
        ("Step 1: +3 = 7\nStep 2: +5 = 2", False, 2, 3),
        (f"{GOLD}\nStep 4: +1 = 2", False, 3, 4),
        ("Step 1: +4 = 7\nStep 2: +5 = 2\nStep 3: +9 = 1", True, 0, 3),
        ("Step 2: +5 = 2\nStep 3: +9 = 1", True, 0, 3),
        ("1", False, 0, 3),
        ("", False, 0, 3),
    ],
)
def test_the_verifier_is_exact(text, answer, right, steps):
    verdict = verify(CHAIN, text)
    assert (verdict.answer, verdict.right_steps, verdict.steps) == (answer, right, steps)


def test_scores_are_the_fraction_of_correct_prefix_steps():
    tree = PreferenceTree("x", CHAIN.prompt)
    wrong = "Step 1: +3 = 7\nStep 2: +5 = 3\nStep 3: +9 = 2"
    assert ChainVerifier().score([tree] * 2, [GOLD, wrong]) == [100.0, pytest.approx(200 / 3 - 100)]
    assert ChainVerifier().score_objectives([tree], [GOLD]) == [(1.0, 1.0)]


def test_a_corrupted_solution_has_one_wrong_step_and_a_wrong_answer():
    for seed in range(30):
        rng = Random(seed)
        chain = draw(4, rng, for_trees=True)
        steps = corrupt(chain, rng)
        verdict = verify(chain, "".join(steps))
        assert not verdict.answer
        states = [chain.start, *(int(step.strip()[-1]) for step in steps)]
        wrong = [(states[n] + digit) % 10 != states[n + 1] for n, digit in enumerate(chain.added)]
        assert sum(wrong) == 1


def test_the_noisy_solver_errs_as_often_as_it_is_told():
    rng, right = Random(0), 0
    for _ in range(2000):
        chain = Chain(1, (2, 3))
        right += verify(chain, "".join(solve(chain, 1, 0.3, rng))).answer
    assert 0.66 < right / 2000 < 0.74


def test_the_data_are_trees_of_gold_branches_and_a_corrupted_one():
    split = ChainArithmetic(ChainArithmeticConfig(records=50)).load(7)
    assert (len(split.train), len(split.test)) == (40, 10)
    assert "Generated" in split.note
    for tree in (*split.train, *split.test):
        labels, chain = tree.labels(), parse(tree.prompt_text)
        assert is_for_trees(chain)
        assert labels[0] == 100
        assert labels[-1] < 100
        assert 2 <= len(labels) <= 5
        assert labels == split.reward.score([tree] * len(labels), [b.text for b in tree.branches])
        assert all(len(branch.steps) == 4 for branch in tree.branches)


def test_another_generator_seed_gives_other_exercises_and_the_runs_seed_none():
    config = ChainArithmeticConfig(records=20)
    one, other = (ChainArithmetic(config).load(seed) for seed in (0, 1))
    assert one.fingerprint == other.fingerprint
    third = ChainArithmetic(ChainArithmeticConfig(records=20, generator_seed=1)).load(0)
    assert third.fingerprint != one.fingerprint


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        ({"records": 1}, "data.records=1"),
        ({"steps": 1}, "data.steps=1"),
        ({"steps": 100}, "data.steps=100"),
        ({"branches": -1}, "data.branches=-1"),
        ({"error_rate": 1.5}, "data.error_rate=1.5"),
        ({"test_fraction": 0.0}, "data.test_fraction=0.0"),
    ],
)
def test_the_keys_are_checked(keys, key):
    with pytest.raises(ConfigError, match=key):
        ChainArithmeticConfig(**keys)


def test_too_many_records_and_a_strange_prompt_are_refused():
    with pytest.raises(DataError, match=r"data.records=200 exercises of data.steps=2"):
        ChainArithmetic(ChainArithmeticConfig(records=200, steps=2)).load(0)
    with pytest.raises(DataError, match=r"'What is 2 \+ 2\?'"):
        ChainVerifier().score([PreferenceTree("x", "What is 2 + 2?")], ["4"])


def test_conformance():
    check_data("chain_arithmetic", overrides=["records=20"])
    check_reward("chain_arithmetic")
