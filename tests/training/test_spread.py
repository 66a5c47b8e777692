"""Logged metrics are means over processes, and a stop in one is one in all."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from prefrun.training import spread


def test_alone_a_mean_is_that_of_the_values_seen():
    assert spread.means({"a": [1.0, 2.0], "b": [5.0]}) == {"a": 1.5, "b": 5.0}


@pytest.fixture
def two(monkeypatch):
    """Return `two(other)`: another process then gives OTHER wherever something is shared."""

    def pretend(other):
        monkeypatch.setattr(spread, "_of_all", lambda value: [value, other])

    return pretend


def test_each_value_of_each_process_counts_once(two):
    two({"a": (9.0, 1), "c": (4.0, 2)})
    assert spread.means({"a": [1.0, 2.0], "b": [5.0]}) == {"a": 4.0, "b": 5.0, "c": 2.0}


@pytest.mark.parametrize("mine", [False, True])
@pytest.mark.parametrize("other", [False, True])
def test_one_process_is_enough_to_stop(two, mine, other):
    two(other)
    assert spread.any_process(mine) is (mine or other)


def test_weights_are_copied_by_name():
    one, other = nn.Linear(2, 3), nn.Linear(2, 3)
    spread.gather(one, None)
    spread.gather(one, other)
    assert torch.equal(one.weight, other.weight)
    assert torch.equal(one.bias, other.bias)
