"""SparsePO's pairs, measures and settings, and the world of sevens."""

from __future__ import annotations

from dataclasses import replace

import pytest

from prefrun import ConfigError
from prefrun.algorithm import RunAlgorithm
from prefrun.errors import DataError
from prefrun.testing import make_trees
from prefrun_robust.sparsepo.algo import SparsePo
from prefrun_robust.sparsepo.config import CountSevensConfig, SparsePoConfig
from prefrun_robust.sparsepo.measures import area_under_curve, share_of_zeros
from prefrun_robust.sparsepo.records import best_and_worst, in_parts, shuffled
from prefrun_robust.sparsepo.world import CountSevens


def test_measures():
    assert area_under_curve([0.1, 0.4, 0.35, 0.8], [False, False, True, True]) == 0.75
    assert area_under_curve([1.0, 1.0], [True, False]) == 0.5
    assert area_under_curve([1.0, 2.0], [True, True]) is None
    zeros = share_of_zeros([[0.0, 1.0], [0.0, 0.0]])
    assert zeros.value == 0.75
    assert zeros.per_record == [0.5, 1.0]


def test_pairs_are_best_and_worst_without_ties():
    (tree,) = make_trees(1)
    (pair,) = best_and_worst([tree], "overall")
    labels = tree.labels()
    assert pair.labels() == [max(labels), min(labels)]
    tied = replace(tree, branches=(tree.branches[0], replace(tree.branches[0], rank=None)))
    assert best_and_worst([tied, replace(tree, branches=tree.branches[:1])], "overall") == []


def test_order_and_parts():
    order = shuffled(5, 12, seed=1)
    assert sorted(order[:5]) == sorted(order[5:10]) == [0, 1, 2, 3, 4]
    assert order != shuffled(5, 12, seed=2)
    assert in_parts([3, 1, 2], {1: 4, 2: 5, 3: 30}, budget=10) == [[3], [1, 2]]


def test_sevens_are_foreseeable_only_with_a_cue():
    shares = {}
    for cue in (0.0, 0.9):
        trees = CountSevens(CountSevensConfig(records=400, cue=cue)).load(0).train
        texts = [branch.text for tree in trees for branch in tree.branches]
        after = [text[i + 1] for text in texts for i, c in enumerate(text[:-1]) if c == "j"]
        shares[cue] = after.count("7") / len(after)
    assert shares[0.0] < 0.15
    assert shares[0.9] > 0.8


def test_data_without_preferences_are_refused():
    data = CountSevens(CountSevensConfig(2, 1)).load(0)
    single = [replace(tree, branches=tree.branches[:1]) for tree in data.train]
    algorithm: RunAlgorithm = SparsePo(SparsePoConfig())
    with pytest.raises(DataError, match="no training record"):
        algorithm.check(replace(data, train=single), None)


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"beta": 0}, r"algo\.beta"),
        ({"initial_mask": 0}, r"algo\.initial_mask"),
        ({"mask_learning_rate": -1}, r"algo\.mask_learning_rate"),
        ({"mask_dropout": 1}, r"algo\.mask_dropout"),
        ({"l1_kl": -1}, r"algo\.l1_kl"),
        ({"label_smoothing": 0.5}, r"algo\.label_smoothing"),
        ({"activations": ["mpl"]}, r"algo\.activations"),
    ],
)
def test_settings_out_of_range_name_their_key(keys, named):
    with pytest.raises(ConfigError, match=named):
        SparsePoConfig(**keys)
