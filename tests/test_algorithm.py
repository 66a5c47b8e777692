"""What an algorithm says of data before a model is loaded."""

from __future__ import annotations

from dataclasses import replace

import pytest

from prefrun.algorithm import LossAlgorithm, LossOutput, check_branches, check_some_differ
from prefrun.errors import DataError
from prefrun.records.split import DataSplit, ReadCounts
from prefrun.records.tree import PreferenceTree
from prefrun.testing import make_trees


class Compares(LossAlgorithm):
    def loss(self, batch: object) -> LossOutput:
        raise AssertionError("never called")


class TakesSingles(Compares):
    min_branches = 1


def split_of(trees: list[PreferenceTree], objective: str = "overall") -> DataSplit:
    return DataSplit("made", trees, [], "0", ReadCounts(), objective)


def tied(tree: PreferenceTree) -> PreferenceTree:
    branches = [
        replace(b, scores={"overall": 0.5, "honesty": n}) for n, b in enumerate(tree.branches)
    ]
    return replace(tree, branches=tuple(branches))


def test_a_record_with_too_few_answers_is_named() -> None:
    whole, other = make_trees(2)
    single = replace(other, branches=other.branches[:1])
    check_branches(Compares(None), [whole], "demo")
    check_branches(TakesSingles(None), [whole, single], "demo")
    with pytest.raises(DataError, match=r"record tree-1: 1 answer.*algo=demo needs 2"):
        check_branches(Compares(None), [whole, single], "demo")


def test_equal_scores_in_all_records_are_nothing_to_learn_from() -> None:
    trees = make_trees(3)
    ties = [tied(tree) for tree in trees]
    Compares(None).check(split_of([*ties, trees[0]]), None)
    Compares(None).check(split_of(ties, "honesty"), None)
    TakesSingles(None).check(split_of(ties), None)
    with pytest.raises(DataError, match="nothing to learn"):
        Compares(None).check(split_of(ties), None)


def test_records_of_weight_0_do_not_count() -> None:
    (tree,) = make_trees(1)
    with pytest.raises(DataError, match="every training record has weight 0"):
        check_some_differ([replace(tree, weight=0.0)], "overall")
    with pytest.raises(DataError, match="nothing to learn"):
        check_some_differ([replace(tree, weight=0.0), tied(tree)], "overall")


def test_a_margin_may_be_asked_for() -> None:
    trees = make_trees(2, branches=2)
    check_some_differ(trees, "overall", 0.1)
    with pytest.raises(DataError, match="differ by more than 100"):
        check_some_differ(trees, "overall", 100.0)
