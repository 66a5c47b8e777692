"""algo=curry_dpo: which pairs its stages hold, and how they are trained."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from prefrun import ConfigError, DataError
from prefrun.records.split import DataSplit, ReadCounts
from prefrun.testing import make_trees
from prefrun_pairwise.config import PairChoice
from prefrun_pairwise.curry import CurryDpo
from prefrun_pairwise.curry_config import Criterion, CurryDpoConfig, Order, StageReference
from prefrun_pairwise.staged import Staged


class Host:
    """What `run` uses of the host's services; keeps what it was asked to train."""

    def __init__(self, trees, logps=None):
        self.data = DataSplit("made", trees, [], "made", ReadCounts(len(trees), len(trees)))
        self.run = SimpleNamespace(seed=0)
        self.logps, self.trained = logps, []

    def reference_logps(self, trees):
        return [SimpleNamespace(sums=self.logps) for _ in trees]

    def train(self, algorithm, trees=None, round=None):
        self.trained.append((algorithm, trees, round))
        return f"policy {len(self.trained)}"


def gaps(trees):
    return [tree.labels()[0] - tree.labels()[1] for tree in trees]


def test_each_stage_starts_from_the_one_before_and_is_harder():
    host = Host(make_trees(trees=5, branches=4))
    outcome = CurryDpo(CurryDpoConfig()).run(host)
    assert [number for _, _, number in host.trained] == [0, 1, 2]
    assert [len(trees) for _, trees, _ in host.trained] == [5, 5, 5]
    easiest, middle, hardest = (gaps(trees) for _, trees, _ in host.trained)
    assert min(easiest) > max(middle) > max(hardest)
    assert outcome.policy == "policy 3"


def test_reversed_stages():
    host = Host(make_trees(trees=5, branches=4))
    CurryDpo(CurryDpoConfig(order=Order.hard_to_easy)).run(host)
    assert max(gaps(host.trained[0][1])) < min(gaps(host.trained[2][1]))


def test_random_stages_hold_the_same_pairs():
    host = Host(make_trees(trees=20, branches=4))
    curry = CurryDpo(CurryDpoConfig(order=Order.random))
    dealt, sorted_ = curry.stages(host), CurryDpo(CurryDpoConfig()).stages(host)
    assert [len(stage) for stage in dealt] == [20, 20, 20]
    ids = [sorted(tree.id for stage in stages for tree in stage) for stages in (dealt, sorted_)]
    assert ids[0] == ids[1]
    assert max(gaps(dealt[2])) > min(gaps(dealt[0]))


def test_against_the_start_model_it_is_one_training():
    host = Host(make_trees(trees=5, branches=4))
    CurryDpo(CurryDpoConfig(reference=StageReference.start)).run(host)
    ((algorithm, trees, number),) = host.trained
    assert isinstance(algorithm, Staged)
    assert len(trees) == 15
    assert number is None


def test_empty_stages_are_left_out():
    host = Host(make_trees(trees=5, branches=2))
    CurryDpo(CurryDpoConfig(pairs=PairChoice.all)).run(host)
    assert [number for _, _, number in host.trained] == [0]


def test_easiness_by_log_probs_of_the_start_model():
    tree = make_trees(trees=1, branches=3)[0]
    labels = tree.labels()
    best, middle, worst = sorted(range(3), key=lambda place: -labels[place])
    logps = [0.0, 0.0, 0.0]
    logps[middle] = -9.0  # the start model tells the middle answer apart best
    stages = CurryDpo(CurryDpoConfig(criterion=Criterion.logps, stages=2)).stages(
        Host([tree], logps)
    )
    assert [stage[0].id for stage in stages] == [
        f"{tree.id}/{best}-{middle}",
        f"{tree.id}/{best}-{worst}",
    ]


def test_records_without_pairs_are_refused_before_anything_is_loaded():
    host = Host(make_trees(branches=1))
    with pytest.raises(DataError, match="two answers"):
        CurryDpo(CurryDpoConfig()).check(host.data, None)


def test_settings_without_meaning_are_refused():
    with pytest.raises(ConfigError, match=r"algo\.stages"):
        CurryDpoConfig(stages=0)
    with pytest.raises(ConfigError, match=r"algo\.base=nothing"):
        CurryDpo(CurryDpoConfig(base="nothing"))
