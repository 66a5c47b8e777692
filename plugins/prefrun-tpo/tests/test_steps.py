"""Solutions are cut into steps, and the cut loses nothing."""

from __future__ import annotations

from random import Random

import pytest

from prefrun_tpo.cutting import cut_points
from prefrun_tpo.steps import split_at_markers, split_like, split_lines


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("Step 1: a\nStep 2: b", ["Step 1: a\n", "Step 2: b"]),
        ("Step 9: a Step 10: b", ["Step 9: a ", "Step 10: b"]),
        ("\n\nStep 1: a", ["\n\nStep 1: a"]),
        ("well, Step 1: a", ["well, ", "Step 1: a"]),
        ("no marker", ["no marker"]),
        ("Step 1 is easy", ["Step 1 is easy"]),
        ("Step 100: too far", ["Step 100: too far"]),
    ],
)
def test_markers_of_one_or_two_digits_begin_a_step(text, steps):
    assert split_at_markers(text) == steps
    assert "".join(steps) == text


def test_lines_keep_their_ends_and_blank_ones_join_the_line_before():
    assert split_lines("a\n\nb\n") == ["a\n\n", "b\n"]


def test_a_continuation_is_cut_as_the_gold_solution_is():
    text = "Step 3: a\nand more\nStep 4: b"
    assert split_like(text, ["Step 1: x\n", "Step 2: y"]) == ["Step 3: a\nand more\n", "Step 4: b"]
    assert split_like(text, ["x\n", "y"]) == ["Step 3: a\n", "and more\n", "Step 4: b"]


def test_cuts_are_drawn_without_replacement_while_there_are_points_left():
    for seed in range(20):
        assert len(set(cut_points(5, 3, Random(seed)))) == 3
        few = cut_points(2, 5, Random(seed))
        assert len(few) == 5
        assert set(few) == {0, 1}
    assert {cut for seed in range(50) for cut in cut_points(4, 3, Random(seed))} == {0, 1, 2, 3}
