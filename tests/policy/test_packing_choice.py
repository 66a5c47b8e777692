"""Packing is chosen only for models that prove to honour it."""

from __future__ import annotations

import pytest
import transformers

from prefrun.errors import ConfigError
from prefrun.policy.attention.kernel import Kernel
from prefrun.policy.packing_choice import choose_packing
from tests.policy.conftest import FAMILIES


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_packs_trees_on_a_cpu(family, make_model):
    assert choose_packing(make_model(family)).kernel is Kernel.segments


def bloom():
    config = transformers.BloomConfig(vocab_size=400, hidden_size=32, n_layer=2, n_head=4)
    return transformers.AutoModelForCausalLM.from_config(config)


def mamba():
    config = transformers.MambaConfig(
        vocab_size=400, hidden_size=32, state_size=4, num_hidden_layers=2
    )
    return transformers.AutoModelForCausalLM.from_config(config)


def recurrent_layers():
    config = transformers.RecurrentGemmaConfig(
        vocab_size=400,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        lru_width=32,
        intermediate_size=48,
    )
    return transformers.AutoModelForCausalLM.from_config(config)


@pytest.mark.parametrize("make", [bloom, mamba, recurrent_layers])
def test_a_model_that_does_not_honour_rows_falls_back_with_a_notice(make, caplog):
    model = make()
    packing = choose_packing(model)
    assert packing.kernel is None
    assert type(model).__name__ in packing.note
    assert "cannot pack trees" in caplog.text
    with pytest.raises(ConfigError, match=r"model.attention=segments.*\n  remedy"):
        choose_packing(model, "segments")


@pytest.mark.parametrize("name", ["dense", "segments"])
def test_a_kernel_can_be_forced(name, make_model):
    assert choose_packing(make_model("llama"), name).kernel is Kernel(name)


@pytest.mark.parametrize("name", ["sdpa", "eager", "flash_attention_2"])
def test_any_other_attention_means_one_row_per_branch(name, make_model):
    packing = choose_packing(make_model("llama"), name)
    assert packing.kernel is None
    assert name in packing.note


def test_the_check_leaves_no_trace(make_model):
    model = make_model("llama").train()
    choose_packing(model)
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not model.get_input_embeddings()._forward_hooks
    assert model.config._attn_implementation == "sdpa"
