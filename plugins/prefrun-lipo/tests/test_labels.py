"""Labels psi in [0, 1] from scores, and what algo=lipo refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from prefrun import ConfigError, DataError
from prefrun.records.split import DataSplit, ReadCounts
from prefrun.testing import make_trees
from prefrun_lipo.algo import Lipo
from prefrun_lipo.config import Discount, Labels, LipoConfig
from prefrun_lipo.labels import LABELS, bradley_terry, min_max, ranks

SCORES = torch.tensor([[9.0, 4.0, 6.0, 0.0]])
MASK = torch.tensor([[True, True, True, False]])


def split_of(trees, objective="overall"):
    return DataSplit("made", trees, [], "0", ReadCounts(), objective)


def test_ranks_alone_give_the_papers_labels():
    assert ranks(SCORES, MASK)[0].tolist() == pytest.approx([5 / 6, 1 / 6, 1 / 2, 0.0])


def test_bradley_terry_averages_win_probabilities_with_the_diagonal():
    sigmoid = torch.sigmoid
    best = (0.5 + sigmoid(torch.tensor(5.0)) + sigmoid(torch.tensor(3.0))) / 3
    assert bradley_terry(SCORES, MASK)[0, 0].item() == pytest.approx(best.item())


def test_min_max_spans_zero_to_one_and_ties_are_in_the_middle():
    assert min_max(SCORES, MASK)[0].tolist() == pytest.approx([1.0, 0.0, 0.4, 0.0])
    assert min_max(torch.full((1, 3), 7.0), MASK[:, :3])[0].tolist() == [0.5, 0.5, 0.5]


@pytest.mark.parametrize("name", ["bradley_terry", "ranks", "min_max"])
def test_labels_stay_in_range_whatever_the_scores(name):
    scores = torch.tensor([[1e6, -1e6, 0.0]])
    labels = LABELS[name](scores, torch.ones(1, 3, dtype=torch.bool))
    assert labels.min() >= 0
    assert labels.max() <= 1


def test_given_labels_outside_the_range_name_the_record():
    (tree,) = make_trees(trees=1)
    branches = (replace(tree.branches[0], scores={"overall": 8.0}), *tree.branches[1:])
    raw = replace(tree, branches=branches)
    with pytest.raises(DataError, match=tree.id):
        Lipo(LipoConfig(labels=Labels.given)).check(split_of([raw]), None)


def test_labels_of_the_chosen_objective_are_looked_at():
    (tree,) = make_trees(trees=1)
    branches = tuple(
        replace(branch, scores={"overall": 9.0, "honesty": number / 4})
        for number, branch in enumerate(tree.branches)
    )
    data = split_of([replace(tree, branches=branches)], "honesty")
    Lipo(LipoConfig(labels=Labels.given)).check(data, None)


def test_data_of_equal_scores_are_refused():
    (tree,) = make_trees(trees=1)
    branches = tuple(replace(branch, scores={"overall": 0.5}) for branch in tree.branches)
    with pytest.raises(DataError, match="nothing to learn"):
        Lipo(LipoConfig()).check(split_of([replace(tree, branches=branches)]), None)


def test_answers_are_shuffled_by_seed_and_record():
    trees = make_trees(trees=6)
    shuffled = Lipo(LipoConfig()).prepare(trees, seed=1)
    texts = [sorted(branch.text for branch in tree.branches) for tree in trees]
    assert texts == [sorted(branch.text for branch in tree.branches) for tree in shuffled]
    assert shuffled != trees
    assert shuffled == Lipo(LipoConfig()).prepare(trees, seed=1)
    assert shuffled != Lipo(LipoConfig()).prepare(trees, seed=2)


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"beta": 0.0}, r"algo\.beta"),
        ({"topn": 0}, r"algo\.topn"),
        ({"normalize_dcg": True, "discount": Discount.constant}, r"algo\.normalize_dcg"),
    ],
)
def test_settings_out_of_range_name_their_key(keys, named):
    with pytest.raises(ConfigError, match=named):
        LipoConfig(**keys)
