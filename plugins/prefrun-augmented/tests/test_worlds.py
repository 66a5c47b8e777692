"""The generated data and DOVE's file layouts."""

from __future__ import annotations

import json

import pytest

from prefrun.errors import DataError
from prefrun.testing import check_data
from prefrun.testing.composition import compose_settings, find_component
from prefrun_augmented.worlds.attribute_words import required


def load(name, seed=0, *overrides):
    component = find_component("data", name)
    return component.load()(compose_settings(component, overrides)).load(seed)


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("attribute_words", ["train=20", "test=10"]),
        ("instructed_words", ["train=20", "test=10"]),
        ("instructed_words", ["train=20", "test=10", "held_out=topic"]),
        ("joint_pairs", ["conditional=20", "joint=20", "test=5"]),
        ("key_words", ["train=20", "test=10"]),
    ],
)
def test_conformance(name, overrides):
    check_data(name, overrides=overrides)


@pytest.mark.parametrize("name", ["attribute_words", "key_words", "joint_pairs"])
def test_other_seeds_have_other_training_records_and_the_same_held_out(name):
    one, other = load(name, 0), load(name, 1)
    assert one.test == other.test
    assert one.train != other.train


def test_the_judge_of_the_words_agrees_with_the_labels():
    data = load("attribute_words")
    for tree in data.test:
        scores = data.reward.score([tree] * 2, [branch.text for branch in tree.branches])
        assert scores == [branch.scores["overall"] for branch in tree.branches]


def test_rationales_name_the_required_word_and_shuffled_ones_do_not():
    def share(data):
        return sum(required(t.prompt_text) in t.metadata["rationale"] for t in data.train) / 100

    assert share(load("attribute_words")) == 1.0
    assert share(load("attribute_words", 0, "rationales=shuffled")) < 0.3


def test_held_out_instructions_have_no_conditional_pair():
    data = load("joint_pairs")
    asked = {tree.prompt for tree in data.train if tree.branches[1].prompt is None}
    assert not asked & {tree.prompt for tree in data.test}
    assert len(data.test) == 25


@pytest.mark.parametrize(
    "row",
    [
        {"i_chosen": "A", "r_chosen": "a", "i_reject": "B", "r_reject": "b"},
        {
            "instruction_0": "B",
            "response_0": "b",
            "instruction_1": "A",
            "response_1": "a",
            "feedback": 1,
        },
    ],
)
def test_doves_layouts(row, tmp_path):
    file = tmp_path / "pairs.jsonl"
    other = {"instruction": "C", "response_0": "x", "response_1": "y", "feedback": 0}
    file.write_text(json.dumps(row) + "\n" + json.dumps(other) + "\n")
    data = load("joint_pairs", 0, f"path={file}", "template='Do {instruction}:'")
    trees = {tree.prompt: tree for tree in [*data.train, *data.test]}
    better, worse = trees["Do A:"].branches
    assert (better.text, better.rank, better.prompt) == ("a", 1, None)
    assert (worse.text, worse.rank, worse.prompt) == ("b", 2, "Do B:")
    assert [branch.prompt for branch in trees["Do C:"].branches] == [None, None]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"feedback": 2}, "both sides are equally good"),
        ({"feedback": None}, "missing: it is null"),
        ({"response_0": 3}, "is a number, not text"),
        ({"instruction_0": " "}, "the prompt is empty"),
    ],
)
def test_a_bad_pair_names_file_and_field(change, said, tmp_path):
    row = {
        "instruction_0": "A",
        "response_0": "a",
        "instruction_1": "B",
        "response_1": "b",
        "feedback": 0,
    }
    file = tmp_path / "pairs.jsonl"
    file.write_text(json.dumps(row) + "\n" + json.dumps(row | change) + "\n")
    with pytest.raises(DataError, match=said) as caught:
        load("joint_pairs", 0, f"path={file}")
    assert "line 2" in str(caught.value)
