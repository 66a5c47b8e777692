"""The verifier that compares with a record's best branch."""

from __future__ import annotations

import pytest

from prefrun.errors import DataError
from prefrun.records.tree import Branch, PreferenceTree, Step
from prefrun.testing import check_reward
from prefrun_tpo.verdicts import BestBranchVerifier

GOLD = ("two and two is <<2+2=4>>4\n", "half of it is <<4/2=2>>2\n", "A: 2")


def tree(gold=GOLD):
    wrong = Branch((Step("A: 9"),), {"overall": -100.0})
    right = Branch(tuple(map(Step, gold)), {"overall": 100.0})
    return PreferenceTree("x", "how many?", (wrong, right))


@pytest.mark.parametrize(
    ("text", "answer", "steps"),
    [
        ("".join(GOLD), 1.0, 1.0),
        ("another way\nA: 2.0", 1.0, 1.0),
        ("it is <<2+2=4.0>>4\nso <<4/2=3>>3\nA: 3", 0.0, 1 / 3),
        ("it is <<2+2=4>>4\n", 0.0, 1 / 3),
        ("", 0.0, 0.0),
    ],
)
def test_a_right_answer_counts_whole_and_a_wrong_one_its_correct_beginning(text, answer, steps):
    verdict = BestBranchVerifier("overall").score_objectives([tree()], [text])
    assert verdict == [(answer, pytest.approx(steps))]


def test_a_gold_solution_without_a_number_is_refused():
    with pytest.raises(DataError, match="ends with no number"):
        BestBranchVerifier("overall").score([tree(("so it is", " many"))], ["2"])


def test_conformance():
    check_reward("solution")
