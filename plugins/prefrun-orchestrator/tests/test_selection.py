"""What weights choose among answers."""

from __future__ import annotations

import pytest
import torch

from prefrun.testing import make_trees
from prefrun_orchestrator.selection import (
    Candidates,
    best_static,
    choose,
    classes_of,
    fixed_weights,
    front_volumes,
    mean_by_class,
)
from prefrun_orchestrator.weights import Statistics


def doubles(values):
    return torch.tensor(values, dtype=torch.float64)


REWARDS = doubles([[1.0, 0.0], [0.0, 1.0], [0.7, 0.7]])
UTILITY = doubles([3.0, 1.0, 2.0])
POOL = Statistics.of(REWARDS)


def candidates(count=2):
    return Candidates([REWARDS] * count, [REWARDS] * count, [UTILITY] * count)


def test_utility_regret_and_means_of_a_choice():
    chosen = choose("mine", candidates(), doubles([[1.0, 0.0], [0.5, 0.5]]))
    assert chosen.utility == [3.0, 2.0]
    assert chosen.regret == [0.0, 1.0]
    assert chosen.means == pytest.approx([0.85, 0.35])
    assert chosen.weights == [0.75, 0.25]


def test_the_best_static_weights_have_the_highest_utility_of_the_grid():
    best = best_static(candidates())
    assert choose("best", candidates(1), best.expand(1, -1)).utility == [3.0]
    assert best[0] > 0.5


def test_fixed_weights_are_uniform_best_and_each_objective_alone():
    found = fixed_weights(("a", "b"), candidates())
    assert list(found) == ["uniform", "best_static", "only_a", "only_b"]
    assert found["only_b"].tolist() == [0.0, 1.0]


def test_many_objectives_get_a_coarser_grid():
    wide = torch.eye(12, dtype=torch.float64)
    best = best_static(Candidates([wide], [wide], [torch.arange(12.0, dtype=torch.float64)]))
    assert best.sum().item() == pytest.approx(1.0)
    assert best.argmax().item() == 11


def test_volumes_are_parts_of_the_box_of_all_rewards():
    chosen = [
        choose("adapter", candidates(1), doubles([[0.5, 0.5]])),
        choose("only_a", candidates(1), doubles([[1.0, 0.0]])),
    ]
    volumes = front_volumes(chosen, "adapter", POOL)
    assert volumes == pytest.approx({"fixed": 0.0, "adapter": 0.49, "all": 0.49})


def test_records_with_one_answer_are_not_chosen_among():
    trees = [*make_trees(2), *make_trees(1, branches=1, seed=1)]
    rewards = [torch.zeros(len(tree.branches), 2) for tree in trees]
    assert len(Candidates.of(trees, rewards, "overall", lambda values: values).rewards) == 2


def test_classes_come_from_the_metadata():
    trees = make_trees(2)
    assert classes_of(trees, None) is None
    marked = [type(t)(t.id, t.prompt, metadata={"topic": 1, "kind": t.id}) for t in trees]
    assert classes_of(marked, None) == ("topic", ["1", "1"])
    assert classes_of(marked, "kind") == ("kind", ["tree-0", "tree-1"])
    means = mean_by_class(doubles([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]]), ["b", "a", "b"])
    assert means == {"a": [1.0, 0.0], "b": [0.25, 0.75]}
