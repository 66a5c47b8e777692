"""Hydra's words as a search space."""

from __future__ import annotations

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from prefrun import ConfigError
from prefrun_optuna.grid import combinations
from prefrun_optuna.space import read_space


def space(*words: str):
    return read_space(words, None)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("x=interval(0.01,1)", FloatDistribution(0.01, 1.0)),
        ("x=interval(0,1)", FloatDistribution(0.0, 1.0)),
        ("x=tag(log,interval(0.01,1))", FloatDistribution(0.01, 1.0, log=True)),
        ("x=tag(int,interval(1,100))", IntDistribution(1, 100)),
        ("x=tag(int,log,interval(1,100))", IntDistribution(1, 100, log=True)),
        ("x=range(1,5)", IntDistribution(1, 4)),
        ("x=range(50,201,50)", IntDistribution(50, 200, step=50)),
        ("x=range(5,1,-2)", IntDistribution(3, 5, step=2)),
        ("x=range(0,1,0.25)", FloatDistribution(0.0, 0.75, step=0.25)),
        ("x=choice(a,b)", CategoricalDistribution(("a", "b"))),
        ("x=lipo,dpo", CategoricalDistribution(("lipo", "dpo"))),
        ("x=1,0.5,null", CategoricalDistribution(("1", "0.5", "null"))),
        ("x=[1,2],[3]", CategoricalDistribution(("[1,2]", "[3]"))),
    ],
)
def test_each_kind_of_sweep_is_a_distribution(word, expected):
    assert space(word).distributions == {"x": expected}


def test_a_trials_words_are_the_fixed_and_the_chosen_ones():
    found = space("algo=dpo", "algo.beta=interval(0,1)", "seed=3", "trainer.max_steps=range(1,9)")
    words = found.words({"trainer.max_steps": 4, "algo.beta": 0.25})
    assert words == ["algo=dpo", "seed=3", "algo.beta=0.25", "trainer.max_steps=4"]


def test_a_later_word_takes_the_place_of_an_earlier_one():
    found = space("x=interval(0,1)", "y=1", "x=2", "y=3,4")
    assert found.fixed == ("x=2",)
    assert list(found.distributions) == ["y"]


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("x=1", "nothing to search"),
        ("x=tag(lgo,interval(1,2))", "has the tag lgo; tags: log, int"),
        ("x=tag(log,interval(0,1))", "cannot be searched"),
        ("x=interval(2,1)", "cannot be searched"),
        ("x=tag(log,range(1,5))", "wants an interval"),
    ],
)
def test_what_cannot_be_searched_is_refused(word, reason):
    with pytest.raises(ConfigError, match=reason):
        space(word)


def test_a_grid_has_every_combination_and_refuses_an_interval():
    found = combinations(space("a=x,y", "b=range(1,4)", "c=range(0,1,0.5)").distributions)
    assert len(found) == len({tuple(each.values()) for each in found}) == 2 * 3 * 2
    assert {each["c"] for each in found} == {0.0, 0.5}
    with pytest.raises(ConfigError, match=r"remedy: b=range"):
        combinations(space("b=interval(1,2)").distributions)
