"""A model that is trained on packed trees answers in between as it always does."""

from __future__ import annotations

import torch

from prefrun.policy.attention.switch import NAME, ordinary_attention, tree_attention


def test_a_model_attends_by_itself_inside_tree_attention(make_model):
    model = make_model("llama")
    ids = torch.tensor([[5, 6, 7, 8]])
    expected, before = model(ids).logits, model.config._attn_implementation
    with tree_attention(model):
        with ordinary_attention(model), ordinary_attention(model):
            assert torch.equal(model(ids).logits, expected)
        assert model.config._attn_implementation == NAME
    assert model.config._attn_implementation == before
    with ordinary_attention(model):
        assert torch.equal(model(ids).logits, expected)
