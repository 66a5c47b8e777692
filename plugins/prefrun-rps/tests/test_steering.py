"""Steering prompts."""

from __future__ import annotations

import pytest

from prefrun.records.tree import Branch, Message, PreferenceTree, Step
from prefrun_rps.config import DPA_SENTENCE, Placement
from prefrun_rps.directions import from_angles
from prefrun_rps.steering import steered

V = from_angles([30.0])[0]
AXES = ("helpfulness", "verbosity")
USER = Message("user", "Hello")


def prompt(of, placement=Placement.system, template="W: {weights}"):
    tree = PreferenceTree("r", of, branches=(Branch((Step("old"),)),))
    result = steered(tree, V, AXES, template, placement)
    assert result.branches == ()
    assert result.id == "r"
    return result.prompt


def test_the_sentence_is_dpas():
    (system, user) = prompt((USER,), template=DPA_SENTENCE)
    assert user == USER
    assert system == Message(
        "system",
        "You are a helpful, respectful, and honest assistant who always responds to the user in a "
        "harmless way. Your response should maximize weighted rating = "
        "helpfulness*87 + verbosity*50",
    )


W = "W: helpfulness*87 + verbosity*50"


@pytest.mark.parametrize(
    ("given", "placement", "expected"),
    [
        ("Hello", Placement.system, f"{W}\n\nHello"),
        (
            (Message("system", "Be kind."), USER),
            Placement.system,
            (Message("system", f"{W}\n\nBe kind."), USER),
        ),
        (
            (Message("system", "Be kind."), USER, Message("assistant", "Hi"), USER),
            Placement.user,
            (
                Message("system", "Be kind."),
                Message("user", f"{W}\n\nHello"),
                Message("assistant", "Hi"),
                USER,
            ),
        ),
    ],
)
def test_the_sentence_finds_its_place(given, placement, expected):
    assert prompt(given, placement) == expected
