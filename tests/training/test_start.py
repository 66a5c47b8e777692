"""What is refused, or said, of a start model before anything is computed with it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from prefrun.builtin.config import LoraSettings
from prefrun.errors import ConfigError, PrefrunError
from prefrun.models.start import check_start
from prefrun.policy.adapter import with_lora
from prefrun.schema import EvaluationConfig, TrainerConfig


def notes(loaded, answer=16, **trainer):
    keys = {"max_length": 256} | trainer
    return check_start(loaded, TrainerConfig(**keys), EvaluationConfig(max_new_tokens=answer))


@pytest.fixture
def of(loaded, make_model):
    """The same with a model of another family or dtype; all have 256 positions."""
    return lambda *words: replace(loaded, model=make_model(*words))


def test_a_model_that_fits_needs_no_word(loaded, of):
    assert notes(loaded) == []
    assert notes(of("gpt2")) == []


def test_texts_longer_than_computed_positions_are_told(loaded):
    (note,) = notes(loaded, max_length=257)
    assert "trainer.max_length=257 is more than" in note
    assert "max_position_embeddings=256" in note


@pytest.mark.parametrize("family", ["gpt2", "opt"])
def test_texts_longer_than_learned_positions_are_refused(of, loaded, family):
    if family == "opt":
        from transformers import OPTConfig, OPTForCausalLM

        small = OPTConfig(
            vocab_size=400,
            hidden_size=16,
            ffn_dim=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            word_embed_proj_dim=16,
            max_position_embeddings=256,
        )
        start = replace(loaded, model=OPTForCausalLM(small).eval())
    else:
        start = of(family)
    assert notes(start) == []
    with pytest.raises(
        ConfigError, match=r"max_length=257 .*max_position_embeddings=256.*\n.*max_length=256"
    ):
        notes(start, max_length=257)


def test_answers_sampled_beyond_the_positions_are_named(loaded, of):
    (note,) = notes(loaded, answer=200, max_prompt_length=100)
    assert "evaluation.max_new_tokens=200 behind prompts of up to 100 tokens" in note
    with pytest.raises(ConfigError, match=r"max_new_tokens=300.*\n.*max_new_tokens=128"):
        notes(of("gpt2"), answer=300)
    with pytest.raises(ConfigError, match=r"remedy: trainer.max_prompt_length=56"):
        notes(of("gpt2"), answer=200)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_trained_in_full_is_told(of, dtype):
    (note,) = notes(of("llama", dtype))
    assert "model.dtype=float32 or model.lora.rank=16" in note
    adapted = of("llama", dtype)
    assert notes(replace(adapted, model=with_lora(adapted.model, LoraSettings(rank=2)))) == []


def test_weights_that_are_not_finite_are_named(loaded):
    with torch.no_grad():
        loaded.model.model.layers[0].mlp.down_proj.weight[1, 1] = torch.nan
    with pytest.raises(
        PrefrunError,
        match=r"start model 'random' gives log-probs that are not finite: .*layers.0.mlp.down_proj",
    ):
        notes(loaded)


def test_an_overflow_is_told_from_broken_weights(of):
    start = of("llama", torch.float16)
    with torch.no_grad():
        start.model.lm_head.weight.mul_(6e4)
    with pytest.raises(PrefrunError, match=r"float16 overflows\n.*model.dtype=float32"):
        notes(start)
