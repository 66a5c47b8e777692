"""The policy that samples and selects: budget, seeds, files, resuming."""

from __future__ import annotations

import json

import numpy as np
import pytest

from prefrun.errors import DataError, PrefrunError
from prefrun.evaluation.evaluator import NotApplicable
from prefrun.policy.tokenise import Tokeniser
from prefrun.records.tree import Message, PreferenceTree
from prefrun_rps.config import Method, RewardNorm, RpsConfig
from prefrun_rps.directions import angle_between, from_angles
from prefrun_rps.policy import SelectionPolicy
from prefrun_rps.pools import PoolFile
from prefrun_rps.shared_prompts import CandidateSampler
from prefrun_rps.space import Space

OBJECTIVES = ("vowels", "digits")


class Counts:
    """Two objectives any text has: its vowels and its digits."""

    name = "counts"
    objectives = OBJECTIVES

    def score(self, trees, responses):
        return [sum(row) for row in self.score_objectives(trees, responses)]

    def score_objectives(self, trees, responses):
        return [
            (float(sum(text.count(v) for v in "aeiou")), float(sum(c.isdigit() for c in text)))
            for text in responses
        ]


TREES = [
    PreferenceTree(f"r{number}", (Message("user", f"Tell {'me ' * number}more."),))
    for number in range(7)
]
USERS = {tree.id: from_angles([5.0 * number])[0] for number, tree in enumerate(TREES)}


@pytest.fixture
def make_policy(llama, tokenizer, tmp_path):
    def make(path="candidates.jsonl", reward=None, **keys):
        tokeniser = Tokeniser(tokenizer, 1024)
        return SelectionPolicy(
            config=RpsConfig(**{"k": 3, "template": "Weigh {weights}", **keys}),
            space=Space(reward or Counts(), OBJECTIVES, USERS, tuple(from_angles([0.0, 10.0]))),
            sampler=CandidateSampler(llama, 0, tokeniser.stop_ids),
            tokeniser=tokeniser,
            batch_size=6,
            max_new_tokens=8,
            file=PoolFile(tmp_path / path),
        )

    return make


def test_the_answer_is_the_candidate_that_is_best_for_the_user(make_policy):
    policy = make_policy()
    pools = policy.pools(TREES, seed=1)
    for tree, pool in zip(TREES, pools, strict=True):
        scores = np.array(pool.rewards) @ USERS[tree.id]
        assert pool.selected == int(scores.argmax())
        assert pool.response == pool.responses[pool.selected]
    assert policy.generate(TREES, 99, 5.0, 1) == [pool.response for pool in pools]
    assert any(pool.selected for pool in pools)


def test_each_candidate_has_a_direction_in_the_cone(make_policy):
    for tree, pool in zip(TREES, make_policy().pools(TREES, seed=1), strict=True):
        assert len(set(pool.directions)) == 3
        assert all(angle_between(USERS[tree.id], np.array(v)) <= 30 for v in pool.directions)


def test_without_a_cone_it_is_best_of_n(make_policy):
    narrow = make_policy("narrow.jsonl", theta_max=0.0).pools(TREES, seed=1)
    baseline = make_policy("best.jsonl", method=Method.best_of_n).pools(TREES, seed=1)
    assert [pool.responses for pool in narrow] == [pool.responses for pool in baseline]
    assert [pool.directions for pool in narrow] == [pool.directions for pool in baseline]
    assert [pool.selected for pool in narrow] == [pool.selected for pool in baseline]
    assert len(set(baseline[0].responses)) == 3  # per-candidate seeds


def test_both_methods_share_a_file_and_not_their_pools(make_policy):
    policy = make_policy()
    other = policy.with_method(Method.best_of_n)
    mine, theirs = policy.pools(TREES, 1), other.pools(TREES, 1)
    assert [pool.key for pool in mine] != [pool.key for pool in theirs]
    assert len(policy.file.path.read_text().splitlines()) == 2 * len(TREES)
    assert policy.pools(TREES, 1) == mine


def test_the_seed_and_the_record_decide_and_not_their_neighbours(make_policy):
    all_of_them = make_policy().pools(TREES, seed=1)
    one = make_policy("one.jsonl").pools(TREES[4:5], seed=1)
    other = make_policy("other.jsonl").pools(TREES[4:5], seed=2)
    assert one[0] == all_of_them[4]
    assert other[0].directions != one[0].directions


class Breaking(Counts):
    """Works for a number of batches."""

    def __init__(self, batches):
        self.left = batches

    def score_objectives(self, trees, responses):
        if self.left == 0:
            raise RuntimeError("the power went out")
        self.left -= 1
        return super().score_objectives(trees, responses)


class Counted:
    """A sampler that counts the candidates it is asked for."""

    def __init__(self, sampler):
        self.sampler, self.names = sampler, []

    def sample(self, groups, names, sampling):
        self.names += names
        return self.sampler.sample(groups, names, sampling)


def test_an_interrupted_run_goes_on_where_it_was(make_policy):
    expected = make_policy("whole.jsonl").pools(TREES, seed=1)
    broken = make_policy(reward=Breaking(2))
    with pytest.raises(RuntimeError, match="power"):
        broken.pools(TREES, seed=1)
    done = [json.loads(line)["key"]["record"] for line in broken.file.path.read_text().splitlines()]
    assert len(done) == 4  # two batches of two prompts with three candidates
    again = make_policy()
    counted = Counted(again.sampler)
    object.__setattr__(again, "sampler", counted)
    assert again.pools(TREES, seed=1) == expected
    assert not {name.partition("\0")[0] for name in counted.names} & set(done)
    counted.names.clear()
    assert again.pools(TREES, seed=1) == expected
    assert counted.names == []


def test_a_torn_last_line_is_dropped_and_made_again(make_policy):
    policy = make_policy()
    expected = policy.pools(TREES, seed=1)
    path = policy.file.path
    whole = path.read_bytes()
    path.write_bytes(whole[:-25])
    assert policy.pools(TREES, seed=1) == expected
    assert path.read_bytes() == whole


def test_a_damaged_line_is_named(make_policy):
    policy = make_policy()
    policy.pools(TREES[:2], seed=1)
    lines = policy.file.path.read_text().splitlines()
    policy.file.path.write_text("\n".join(['{"key": 1}', *lines[1:], ""]))
    with pytest.raises(PrefrunError, match=r"candidates\.jsonl, line 1: .*no pool"):
        policy.pools(TREES, seed=1)


class Broken(Counts):
    """Gives no number for some answers."""

    def __init__(self, broken):
        self.broken = broken

    def score_objectives(self, trees, responses):
        rows = super().score_objectives(trees, responses)
        return [
            (float("nan"), row[1]) if number % 3 in self.broken else row
            for number, row in enumerate(rows)
        ]


def test_a_candidate_without_a_finite_reward_is_dropped(make_policy, caplog):
    policy = make_policy(reward=Broken({0, 1}))
    pools = policy.pools(TREES, seed=1)
    assert [pool.selected for pool in pools] == [2] * len(TREES)
    assert "record r3: 2 candidate(s) without a finite reward" in caplog.text
    assert make_policy().pools(TREES, seed=1)[0].rewards[2] == pools[0].rewards[2]


def test_no_finite_reward_is_an_error_that_names_the_record(make_policy):
    with pytest.raises(DataError, match=r"record r\d: .*no finite number for any of 3"):
        make_policy(reward=Broken({0, 1, 2})).pools(TREES, seed=1)


def test_one_candidate_scaled_by_itself_is_told(make_policy, caplog):
    make_policy(k=1, reward_norm=RewardNorm.per_pool).pools(TREES[:1], seed=1)
    assert "an objective is equal in all candidates" in caplog.text


def test_it_has_no_log_probs(make_policy):
    policy = make_policy()
    with pytest.raises(NotApplicable, match="no log-probability"):
        policy.logps(TREES)
    with pytest.raises(NotApplicable, match="no log-probability"):
        policy.kl(TREES, ["a"] * len(TREES), policy)
    with pytest.raises(NotApplicable, match="no log-probability"):
        policy.sample(TREES, 2, 5, 1.0)
    assert policy.count_tokens(["abc", ""]) == [3, 0]
