"""data=control_codes and its judge."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from prefrun.reward import objectives_of
from prefrun.testing import check_data
from prefrun_rps.config import Codes, ControlCodesConfig
from prefrun_rps.control_codes import ControlCodes
from prefrun_rps.descriptions import HELD_OUT, TRAINED, describe, judge, on_direction


def load(**keys):
    return ControlCodes(ControlCodesConfig(**{"train_records": 60, **keys})).load(0)


def degrees_of(tree):
    return float(np.rad2deg(np.arctan2(*reversed(list(tree.metadata["preference"].values())))))


def test_conformance():
    check_data("control_codes", overrides=["train_records=40", "test_prompts=2"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (0.0, 0.0)),
        ("old.", (0.0, 0.0)),
        ("old, good.", (0.1, 0.5)),
        ("Good,  great , old, wet.", (0.2, 0.5)),
        ("good, blorb, old, wet", (0.1, 0.25)),
        (", ".join(["old"] * 30), (1.0, 0.0)),
        (", ".join(["glad"] * 20) + ".", (1.0, 1.0)),
        ("goodold wet", (0.0, 0.0)),
    ],
)
def test_the_judge_counts_words(text, expected):
    assert judge(text) == pytest.approx(expected)


@pytest.mark.parametrize("length", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("positivity", [0.0, 0.5, 1.0])
def test_a_description_is_what_was_asked(length, positivity):
    assert judge(describe(length, positivity, Random(0))) == pytest.approx((length, positivity))


@pytest.mark.parametrize("degrees", range(0, 65, 5))
def test_a_description_lies_on_its_direction(degrees):
    found = judge(on_direction(degrees, 1.0, Random(0)))
    expected = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    assert np.allclose(found, expected, atol=0.06)


def test_training_covers_its_band_and_held_out_records_go_beyond():
    split = load()
    train = [degrees_of(tree) for tree in split.train]
    assert min(train) >= 0
    assert 20 < max(train) <= 25
    assert sorted({round(degrees_of(tree)) for tree in split.test}) == list(range(0, 65, 5))
    assert len(split.test) == 13 * 10
    assert not set(HELD_OUT) & set(TRAINED)


def test_the_answer_on_its_direction_is_the_best():
    for tree in load(answers=6).train:
        labels = tree.labels("overall")
        assert len(labels) == 6
        assert max(labels[1:]) < labels[0]
        scores = [branch.scores for branch in tree.branches]
        assert [judge(b.text) for b in tree.branches] == [
            (s["length"], s["positivity"]) for s in scores
        ]


def test_codes_stand_in_training_prompts_and_elsewhere_where_asked():
    split = load(template="Aim: {weights}")
    system = split.train[0].prompt[0]
    assert system.role == "system"
    assert system.content.startswith("Aim: length*")
    assert [message.role for message in split.test[0].prompt] == ["user"]
    coded = load(codes=Codes.all, template="Aim: {weights}")
    at_30 = next(tree for tree in coded.test if round(degrees_of(tree)) == 30)
    assert at_30.prompt[0].content == "Aim: length*87 + positivity*50"


def test_the_judge_has_two_objectives_and_scores_by_the_records_direction():
    split = load()
    assert objectives_of(split.reward) == ("length", "positivity")
    tree = next(tree for tree in split.test if round(degrees_of(tree)) == 60)
    text = ", ".join(["good"] * 10 + ["old"] * 10)
    assert split.reward.score([tree], [text])[0] == pytest.approx(0.5 * 1.0 + 0.75**0.5 * 0.5)
