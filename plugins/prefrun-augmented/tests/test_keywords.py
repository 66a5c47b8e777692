"""RAKE finds what carries the content, and degrees lose it in order."""

from __future__ import annotations

from itertools import pairwise
from random import Random

from prefrun_augmented.degrees import poorer, without_keywords
from prefrun_augmented.rake import phrases


def test_longer_phrases_weigh_more_and_each_comes_once():
    found = phrases("The red boat is in the harbour, and the red boat is old. Harbour!")
    assert [phrase for phrase, _ in found] == ["red boat", "harbour", "old"]
    assert dict(found) == {"red boat": 4.0, "harbour": 1.0, "old": 1.0}
    assert phrases("it is what it is") == []


def test_phrases_go_as_whole_words_in_any_case():
    texts = without_keywords("Art in the artist's ART.", ["art"], 2)
    assert texts == ["Art in the artist's ART.", "in the artist's ."]


def test_the_control_loses_as_many_words():
    text = "the red boat and the old harbour in a storm"
    ours, control = poorer(text, 4), poorer(text, 4, Random(0))
    assert [len(t.split()) for t in ours] == [len(t.split()) for t in control]
    assert ours != control
    assert all(set(b.split()) <= set(a.split()) for a, b in pairwise(control))


def test_too_little_content_gives_no_degrees():
    assert poorer("boat", 3) == []
    assert poorer("the of and", 2) == []
