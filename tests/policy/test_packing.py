"""A packed forward equals one forward per branch, for trees of every shape."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prefrun.policy.attention.kernel import Kernel
from prefrun.policy.attention.switch import is_active, tree_attention
from prefrun.policy.collate import collate_tokens
from prefrun.policy.logprobs import token_logprobs
from prefrun.policy.packing import PLAIN, Packing
from prefrun.policy.tokenise import TokenisedTree
from prefrun.policy.truncation import TruncationCount
from tests.policy.conftest import FAMILIES, build_model

NOT_CUT = TruncationCount()
SEGMENTS, DENSE = Packing(Kernel.segments), Packing(Kernel.dense)
MODEL = build_model("gpt2", torch.float64)
"""Everything in it is computed in float64."""

ids = st.integers(5, 8)
steps = st.lists(ids, max_size=4).map(tuple)


@st.composite
def trees(draw):
    """Branches grown from common beginnings: twins, prefixes of others, one token, none at all.

    In some trees each branch has a prompt of its own, with or without a common beginning.
    """
    apart = draw(st.booleans())
    prompt = tuple(draw(st.lists(ids, min_size=0 if apart else 1, max_size=6)))
    branches = draw(st.lists(steps, min_size=1, max_size=4))
    for _ in range(draw(st.integers(0, 5))):
        grown = draw(st.sampled_from(branches)) + draw(steps)
        branches.append(grown[: draw(st.integers(0, 12))])
    ends = tuple((len(branch),) for branch in branches)
    own = st.lists(ids, min_size=1, max_size=4).map(tuple)
    contexts = tuple(draw(own) for _ in branches) if apart else ()
    return TokenisedTree("x", prompt, tuple(branches), ends, NOT_CUT, contexts)


def outcome(model, forest, packing):
    """Log-probs per branch, and the gradient of a made-up loss of them."""
    batch = collate_tokens(forest, 0, packing)
    values, _ = token_logprobs(model, batch)
    slope = torch.sin(torch.arange(12, dtype=values.dtype))[: values.shape[-1]]
    loss = ((values * slope).sum((1, 2)) ** 2).sum()
    return values, torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)


@given(st.lists(trees(), min_size=1, max_size=3))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.parametrize("packing", [SEGMENTS, DENSE], ids=["segments", "dense"])
def test_any_forest_gives_the_log_probs_and_gradients_of_its_branches(packing, forest):
    values, gradients = outcome(MODEL, forest, packing)
    expected, wanted = outcome(MODEL, forest, PLAIN)
    torch.testing.assert_close(values, expected, rtol=0, atol=1e-12)
    for gradient, other in zip(gradients, wanted, strict=True):
        if other is not None:
            torch.testing.assert_close(gradient, other, rtol=1e-9, atol=1e-9)


def test_gradients_agree_with_finite_differences():
    tree = TokenisedTree(
        "x",
        (5, 6),
        ((7, 8, 9), (7, 8), (7, 5, 5), (6,), ()),
        ((3,), (2,), (3,), (1,), (0,)),
        NOT_CUT,
    )
    model = build_model("gpt2", torch.float64)
    batch = collate_tokens([tree, tree], 0, SEGMENTS)

    def loss():
        values, _ = token_logprobs(model, batch)
        return (values.sum(-1) ** 2).sum() / 100

    parameters = list(model.parameters())
    gradients = torch.autograd.grad(loss(), parameters)
    torch.manual_seed(1)
    for _ in range(4):
        direction = [torch.randn_like(parameter) for parameter in parameters]
        slope = sum((g * d).sum() for g, d in zip(gradients, direction, strict=True))
        sides = []
        for sign in (1, -1):
            with torch.no_grad():
                for parameter, way in zip(parameters, direction, strict=True):
                    parameter.add_(way, alpha=sign * 1e-6)
                sides.append(loss())
                for parameter, way in zip(parameters, direction, strict=True):
                    parameter.add_(way, alpha=-sign * 1e-6)
        assert ((sides[0] - sides[1]) / 2e-6).item() == pytest.approx(slope.item(), rel=1e-5)


def test_a_shared_token_goes_through_the_model_once():
    tree = TokenisedTree("x", tuple(range(5, 25)), ((7, 8, 9), (7, 8, 6)), ((3,), (3,)), NOT_CUT)
    packed, plain = (collate_tokens([tree], 0, packing) for packing in (SEGMENTS, PLAIN))
    assert packed["input_ids"].shape == (1, 24)
    assert plain["input_ids"].shape == (2, 23)
    assert packed["position_ids"][0].tolist() == [*range(23), 22]
    assert len(packed["target"]) == 4
    assert len(plain["target"]) == 6


def test_the_model_is_left_as_it_was():
    before = MODEL.config._attn_implementation
    tree = TokenisedTree("x", (5,), ((6, 7), (8,)), ((2,), (1,)), NOT_CUT)
    token_logprobs(MODEL, collate_tokens([tree], 0, SEGMENTS))
    assert MODEL.config._attn_implementation == before
    with tree_attention(MODEL), tree_attention(MODEL):
        assert is_active(MODEL)
    assert not is_active(MODEL)
    assert MODEL.config._attn_implementation == before


def test_a_callers_own_mask_stands_beside_trees(make_model):
    model = make_model("llama")
    ids = torch.tensor([[5, 6, 7, 8]])
    mask = torch.ones(1, 1, 4, 4, dtype=torch.bool).tril()
    mask[..., 3, 1] = False
    outside = model(input_ids=ids, attention_mask=mask).logits
    with tree_attention(model):
        assert torch.equal(model(input_ids=ids, attention_mask=mask).logits, outside)
        with pytest.raises(ValueError, match="layout"):
            model(input_ids=ids)


def test_two_runs_give_the_same_bits(make_model):
    model = make_model("llama")
    tree = TokenisedTree("x", (5, 6), ((6, 7, 8), (8, 9)), ((3,), (2,)), NOT_CUT)
    (one, slopes), (two, others) = (outcome(model, [tree, tree], SEGMENTS) for _ in range(2))
    assert torch.equal(one, two)
    assert all(torch.equal(a, b) for a, b in zip(slopes, others, strict=True) if a is not None)


@pytest.mark.parametrize("family", FAMILIES)
def test_half_precision_strays_no_further_than_one_row_per_branch(family, make_model):
    tree = TokenisedTree(
        "x", tuple(range(5, 25)), ((7, 8, 9, 10), (7, 8, 6), (30,)), ((4,), (3,), (1,)), NOT_CUT
    )

    def values(dtype, packing):
        model = make_model(family, dtype, initializer_range=0.05)
        with torch.no_grad():
            return token_logprobs(model, collate_tokens([tree], 0, packing))[0]

    exact = values(torch.float32, PLAIN)
    noise = (values(torch.bfloat16, PLAIN) - exact).abs().max()
    assert (values(torch.bfloat16, SEGMENTS) - exact).abs().max() <= 2 * noise + 1e-2
