"""Lists of solutions become trees, and what does not fit is named."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from prefrun.errors import ConfigError, DataError
from prefrun.records.config import OnBadRecord
from prefrun.testing import check_data
from prefrun_tpo.config import Gsm8kTreesConfig
from prefrun_tpo.gsm8k import Gsm8kTrees, read_steps, read_tree

SHARED = Path(
    os.environ.get("PREFRUN_SHARED_DATA", Path(__file__).parents[3].parent / "shared" / "data")
)
REAL = SHARED / "gsm8k_solutions.jsonl.gz"
GOLD = "two and two is <<2+2=4>>4\nhalf of it is <<4/2=2>>2\nA: 2"


def row(*solutions, number=0):
    return {
        "question": f"question {number}?",
        "ground_truth": GOLD,
        "solutions": [{"solution": text, "is_correct": right} for text, right in solutions],
    }


def test_branches_are_gold_then_solutions_and_equal_ones_are_one():
    wrong = "two and two is <<2+2=4.0>>4\nhalf is <<4/2=3>>3\nA: 3"
    tree = read_tree(row((wrong, False), (GOLD, True), (wrong, False)), "x")
    assert [branch.text for branch in tree.branches] == [GOLD, wrong]
    assert [step.text for step in tree.branches[0].steps][-1] == "A: 2"
    assert tree.prompt_text == "question 0?"


def test_a_wrong_solution_scores_its_correct_beginning():
    other = "it is <<1+3=4>>4\nso <<4-2=2>>2\nA: 2"
    cases = {
        "it is <<2+2=5>>5\nhalf is <<4/2=2>>2\nA: 2": -100.0,
        "by counting <<2+2=4.0>>4\nhalf is <<4/2=3>>3\nA: 3": 200 / 3 - 100,
        "<<2+2=4>>\n<<4/2=2>>\nso it is 7\nA: 7": 0.0,
    }
    for text, score in cases.items():
        tree = read_tree(row((text, False), (other, True)), "x")
        assert tree.labels()[0] == tree.labels()[2] == 100
        assert tree.labels()[1] == pytest.approx(score)


def test_the_gold_solution_survives_the_limit_of_branches():
    texts = [(f"it is <<2+2={n}>>{n}\nA: {n}", False) for n in range(5, 9)]
    tree = read_tree(row(*texts), "x", max_branches=3)
    assert len(tree.branches) == 3
    assert tree.branches[0].text == GOLD


@pytest.mark.parametrize(
    ("change", "field", "problem"),
    [
        (
            {"solutions": [{"solution": "", "is_correct": True}]},
            "solutions[0].solution",
            "no steps",
        ),
        (
            {"solutions": [{"solution": "it is 4", "is_correct": True}]},
            "solutions[0].solution",
            "is no answer",
        ),
        (
            {"solutions": [{"solution": GOLD, "is_correct": 1}]},
            "solutions[0].is_correct",
            "not true or false",
        ),
        ({"solutions": [{"solution": GOLD}]}, "solutions[0].is_correct", "missing"),
        ({"ground_truth": None}, "ground_truth", "missing"),
        ({"question": 3}, "question", "not text"),
    ],
)
def test_what_does_not_fit_is_named(change, field, problem):
    with pytest.raises(DataError) as caught:
        read_tree({**row(("it is 5\nA: 5", False)), **change}, "x")
    assert caught.value.field == field
    assert problem in caught.value.problem


def test_a_record_without_a_wrong_solution_is_an_error_or_skipped(tmp_path):
    wrong = ("it is <<2+2=5>>5\nA: 5", False)
    rows = [row(wrong, number=n) for n in range(6)] + [row(("it is 2\nA: 2", True), number=7)]
    file = tmp_path / "solutions.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(DataError, match=r"line 7, field 'solutions\[\*\].is_correct'.*same score"):
        Gsm8kTrees(Gsm8kTreesConfig(path=str(file))).load(0)
    config = Gsm8kTreesConfig(path=str(file), on_bad_record=OnBadRecord.skip)
    split = Gsm8kTrees(config).load(0)
    assert (split.counts.used, split.counts.skipped) == (6, 1)
    assert split.name == "gsm8k_trees-solutions"


def test_the_keys_are_checked():
    with pytest.raises(ConfigError, match=r"data.path=FILE"):
        Gsm8kTreesConfig()
    with pytest.raises(ConfigError, match=r"data.max_branches=1"):
        Gsm8kTreesConfig(path="x", max_branches=1)


def test_a_step_keeps_its_line_end_so_that_steps_join_to_the_text():
    assert "".join(read_steps(GOLD, "")) == GOLD


@pytest.mark.skipif(not REAL.exists(), reason="the real data are not beside the checkout")
def test_the_real_file_gives_trees_with_shared_steps():
    config = Gsm8kTreesConfig(path=str(REAL), on_bad_record=OnBadRecord.skip)
    split = Gsm8kTrees(config).load(0)
    assert split.counts.read == 900
    assert split.counts.used > 700
    trees = [*split.train, *split.test]
    shared = [t for t in trees if len({b.steps[0].text for b in t.branches}) < len(t.branches)]
    assert len(shared) > 50
    assert all(tree.labels()[0] == 100 for tree in trees)


def test_conformance(tmp_path):
    rows = [row((f"it is <<2+2={n}>>{n}\nA: {n}", False), number=n) for n in range(5, 15)]
    file = tmp_path / "solutions.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    check_data("gsm8k_trees", overrides=[f"path={file}"])
