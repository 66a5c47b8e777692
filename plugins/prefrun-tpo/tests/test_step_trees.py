"""data=step_trees: what it reads, and how it names what it cannot read."""

from __future__ import annotations

import json

import pytest

from prefrun.errors import ConfigError, DataError
from prefrun.testing import check_data
from prefrun_tpo.config import StepTreesConfig, TrainBranches
from prefrun_tpo.step_trees import StepTrees, read_tree, write_rows


def row(number=0, **changes):
    return {
        "prompt": f"question {number}?",
        "responses": [
            ["Step 1: a\n", "Step 2: b"],
            "Step 1: a\nStep 2: c Step 3: d",
            ["Step 1: e"],
        ],
        "scores": [100, "50", -100.0],
        **changes,
    }


def write(tmp_path, *rows, name="trees.jsonl"):
    file = tmp_path / name
    file.write_text("\n".join(map(json.dumps, rows)))
    return str(file)


def test_responses_are_lists_of_steps_or_marked_text_and_scores_may_be_text():
    tree = read_tree(row(), "x")
    assert [[step.text for step in branch.steps] for branch in tree.branches] == [
        ["Step 1: a\n", "Step 2: b"],
        ["Step 1: a\n", "Step 2: c ", "Step 3: d"],
        ["Step 1: e"],
    ]
    assert tree.labels() == [100.0, 50.0, -100.0]


def test_what_is_written_is_read_again():
    tree = read_tree(row(sources=["gold", "m", "known wrong"], topic="sums"), "x")
    (written,) = write_rows([tree])
    assert read_tree(json.loads(json.dumps(written)), "x") == tree


@pytest.mark.parametrize(
    ("change", "field", "problem", "remedy"),
    [
        ({"scores": [1, None, 0]}, "scores[1]", "is null", "data.drop_unscored=true"),
        ({"scores": [1, "high", 0]}, "scores[1]", "text 'high', not a number", "plain number"),
        ({"scores": [1, float("nan"), 0]}, "scores[1]", "nan, not a finite", "give its value"),
        ({"scores": [1, "NaN", 0]}, "scores[1]", "nan, not a finite", "give its value"),
        ({"scores": [1, 0]}, "scores", "2 scores for 3 responses", "one per response"),
        ({"scores": None}, "scores", "missing", "give its value"),
        ({"responses": [["Step 1: a"], [], ["b"]]}, "responses[1]", "no steps", "one step"),
        ({"responses": [["a"], " \n", ["b"]]}, "responses[1]", "no steps", "one step"),
        ({"responses": [["a"], ["b", " "], ["c"]]}, "responses[1][1]", "empty step", "remove"),
        ({"responses": [["a"], "b c", ["d"]]}, "responses[1]", "no step marker", "Step 1:"),
        ({"responses": [["a"], ["b", 3], ["c"]]}, "responses[1][1]", "not text", ""),
        ({"responses": None}, "responses", "missing", ""),
        ({"prompt": None}, "prompt", "missing", ""),
    ],
)
def test_file_line_field_and_remedy_are_named(tmp_path, change, field, problem, remedy):
    path = write(tmp_path, row(1), row(2), row(3, **change))
    with pytest.raises(DataError) as caught:
        StepTrees(StepTreesConfig(path=path)).load(0)
    message = str(caught.value)
    assert f"{path}, line 3, field '{field}'" in message
    assert problem in message
    assert remedy in message
    assert "remedy: " in message


def test_unscored_responses_can_be_left_out(tmp_path):
    rows = [row(n, scores=[1, None, 0]) for n in range(4)]
    config = StepTreesConfig(path=write(tmp_path, *rows), drop_unscored=True)
    assert [len(tree.branches) for tree in StepTrees(config).load(0).train] == [2, 2, 2]


def test_pairs_for_training_leave_the_held_out_records_whole(tmp_path):
    path = write(tmp_path, *(row(n) for n in range(5)))
    whole = StepTrees(StepTreesConfig(path=path)).load(0)
    split = StepTrees(StepTreesConfig(path=path, train_branches=TrainBranches.first_and_last)).load(
        0
    )
    assert {tuple(tree.labels()) for tree in split.train} == {(100.0, -100.0)}
    assert split.test == whole.test
    assert split.fingerprint != whole.fingerprint


def test_the_seed_can_stand_in_the_path(tmp_path):
    write(tmp_path, *(row(n) for n in range(5)), name="of-3.jsonl")
    config = StepTreesConfig(path=str(tmp_path / "of-{seed}.jsonl"))
    assert len(StepTrees(config).load(3).train) == 4
    with pytest.raises(DataError, match=r"of-4.jsonl: no such file"):
        StepTrees(config).load(4)


def test_a_path_is_needed():
    with pytest.raises(ConfigError, match=r"data=step_trees needs data\.path"):
        StepTreesConfig()


def test_conformance(tmp_path):
    check_data("step_trees", overrides=[f"path={write(tmp_path, *(row(n) for n in range(9)))}"])
