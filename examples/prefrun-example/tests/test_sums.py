"""Data and judge: what is written is read, and one digit makes the difference."""

import pytest

from prefrun import ConfigError
from prefrun.records.tree import PreferenceTree
from prefrun_example.config import EditedSumsConfig, ExactSumConfig
from prefrun_example.judge import ExactSum
from prefrun_example.source import EditedSums

SUM = PreferenceTree("sum", "20+31+14 is ")
RIGHT = "20+31=51 51+14=65"


def score(response, *, steps=True, tree=SUM):
    return ExactSum(ExactSumConfig(steps=steps)).score([tree], [response])[0]


@pytest.mark.parametrize(
    ("response", "by_steps", "by_result"),
    [
        (RIGHT, 1, 1),
        (f"{RIGHT} and no more", 1, 1),
        ("20+31=52 51+14=65", 0, 1),
        ("31+20=51 51+14=65", 0, 1),
        ("20+31=51 51+14=66", 0, 0),
        (f"{RIGHT} 65+1=66", 0, 0),
        ("65", 0, 0),
        ("", 0, 0),
    ],
)
def test_the_judge_knows_right_from_wrong(response, by_steps, by_result):
    assert score(response) == by_steps
    assert score(response, steps=False) == by_result


def test_a_prompt_without_a_sum_scores_nothing():
    assert score(RIGHT, tree=PreferenceTree("poem", "Write a poem.")) == 0


@pytest.mark.parametrize(("terms", "edits"), [(3, 4), (4, 1), (8, 2)])
def test_the_first_answer_is_right_and_each_copy_differs_in_one_character(terms, edits):
    split = EditedSums(EditedSumsConfig(train=20, test=5, terms=terms, edits=edits)).load(seed=3)
    assert (len(split.train), len(split.test)) == (20, 5)
    for tree in (*split.train, *split.test):
        right, *wrong = [branch.text for branch in tree.branches]
        assert len(wrong) == edits
        assert [score(answer, tree=tree) for answer in (right, *wrong)] == [1] + [0] * edits
        for copy in wrong:
            assert len(copy) == len(right)
            assert sum(a != b for a, b in zip(right, copy, strict=True)) == 1


@pytest.mark.parametrize(
    "keys", [{"train": 0}, {"terms": 2}, {"edits": 5}, {"terms": 3, "train": 9**3}]
)
def test_settings_out_of_range_are_refused_by_name(keys):
    with pytest.raises(ConfigError, match=f"data.{next(iter(keys))}"):
        EditedSumsConfig(**keys)
