"""Pair accuracy and Kendall's tau, against scipy and by hand; the evaluator of both."""

from dataclasses import replace

import pytest
import torch
from scipy.stats import kendalltau

from prefrun.evaluation.evaluator import NotApplicable
from prefrun.testing.context import RandomContext
from prefrun_lab.config import OrderingConfig
from prefrun_lab.ordering import kendall_tau, pair_accuracy
from prefrun_lab.ordering_evaluator import Ordering

ALL = torch.ones(1, 4, dtype=torch.bool)


def row(*values):
    return torch.tensor([values], dtype=torch.float32)


def test_tau_is_scipys_with_ties_and_padding():
    draw = torch.Generator().manual_seed(0)
    scores = torch.randint(0, 4, (50, 7), generator=draw).float()
    labels = torch.randint(0, 3, (50, 7), generator=draw).float()
    sizes = torch.randint(2, 8, (50,), generator=draw)
    mask = torch.arange(7) < sizes[:, None]
    found = kendall_tau(scores, labels, mask)
    for place, size in enumerate(sizes.tolist()):
        own, given = scores[place, :size].tolist(), labels[place, :size].tolist()
        if len(set(given)) < 2:
            assert found[place].isnan()
        elif len(set(own)) < 2:
            assert found[place] == 0
        else:
            wanted = kendalltau(own, given).statistic
            torch.testing.assert_close(found[place].item(), wanted, atol=1e-9, rtol=0)


def test_accuracy_counts_pairs_of_different_label_and_halves_ties():
    # five pairs differ in label: three right, one wrong, one of equal scores
    accuracy = pair_accuracy(row(4, 3, 3, 3.5), row(3, 2, 1, 1), ALL)
    assert accuracy.item() == (3 + 0.5) / 5
    assert pair_accuracy(row(1, 2, 3, 4), row(1, 1, 1, 1), ALL).isnan().all()
    two = torch.tensor([[True, True, False, False]])
    assert pair_accuracy(row(1, 2, 9, 0), row(1, 2, 3, 4), two).item() == 1


def test_the_evaluator_measures_all_records_and_each_group():
    context = RandomContext()
    context.trees = [
        replace(tree, metadata={"group": "odd" if number % 2 else "even"})
        for number, tree in enumerate(context.trees)
    ]
    measured = Ordering(OrderingConfig()).evaluate(context)
    names = {"accuracy", "kendall_tau"}
    assert set(measured) == {
        *names,
        *(f"{name}/{part}" for name in names for part in ("odd", "even")),
    }
    assert {estimate.direction for estimate in measured.values()} == {"max"}
    odd, even = (measured[f"accuracy/{name}"].per_record for name in ("odd", "even"))
    both = [a if b is None else b for a, b in zip(odd, even, strict=True)]
    assert tuple(both) == measured["accuracy"].per_record
    other = Ordering(OrderingConfig(group="domain")).evaluate(context)
    assert set(other) == names


def test_records_of_equal_labels_cannot_be_measured():
    context = RandomContext()
    context.trees = [
        replace(tree, branches=tuple(replace(b, scores={"overall": 1.0}) for b in tree.branches))
        for tree in context.trees
    ]
    with pytest.raises(NotApplicable, match="different label"):
        Ordering(OrderingConfig()).evaluate(context)
