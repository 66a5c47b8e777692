"""Tokens come with their probability, and random numbers by name."""

from __future__ import annotations

import pytest
import torch

from prefrun.policy.sampling.drawing import draw, logps_of, uniforms

LOGITS = torch.tensor([[1.0, -1.0, 0.5, -torch.inf, 0.0]])


def shares(temperature, top_p):
    """How often each token is drawn."""
    tokens = draw(LOGITS.expand(20000, -1), uniforms(0, ["x"], 20000)[0], temperature, top_p)
    return torch.bincount(tokens, minlength=5) / 20000


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_tokens_are_drawn_with_their_probability(temperature):
    found = shares(temperature, 1.0)
    assert found[3] == 0
    wanted = (LOGITS[0] / temperature).softmax(-1)
    torch.testing.assert_close(found, wanted, rtol=0, atol=0.015)


@pytest.mark.parametrize(("top_p", "kept"), [(0.4, [0]), (0.6, [0, 2]), (0.8, [0, 2, 4])])
def test_nucleus_holds_the_likeliest_tokens_that_reach_its_mass(top_p, kept):
    wanted = torch.zeros(5)
    wanted[kept] = LOGITS[0].softmax(-1)[kept]
    torch.testing.assert_close(shares(1.0, top_p), wanted / wanted.sum(), rtol=0, atol=0.015)


def test_random_numbers_follow_seed_and_name_only():
    numbers = uniforms(7, ["a", "b"], 4)
    assert torch.equal(uniforms(7, ["b"], 4)[0], numbers[1])
    assert torch.equal(uniforms(7, ["b"], 99)[0, :4], numbers[1])
    assert not torch.equal(numbers[0], numbers[1])
    assert not torch.equal(uniforms(8, ["a"], 4)[0], numbers[0])


def test_logps_are_those_of_the_softmax():
    logits = torch.randn(6, 9)
    tokens = torch.arange(6)
    wanted = logits.log_softmax(-1)[tokens, tokens]
    torch.testing.assert_close(logps_of(logits, tokens), wanted)
