"""Llama models with random weights, and a tokenizer that only knows its special tokens."""

from __future__ import annotations

import torch
from data import EOS, PAD
from shapes import Shape
from tokenizers import Tokenizer, models
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from prefrun.policy.policy import LoadedModel


def make_model(shape: Shape, seed: int) -> LlamaForCausalLM:
    """Return the model of SHAPE in float32: always the same weights, never a shared config."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.model.hidden,
        num_hidden_layers=shape.model.layers,
        intermediate_size=shape.model.intermediate,
        num_attention_heads=shape.model.heads,
        num_key_value_heads=shape.model.heads,
        max_position_embeddings=4096,
        tie_word_embeddings=False,
        pad_token_id=PAD,
        eos_token_id=EOS,
        bos_token_id=None,
        use_cache=False,
    )
    return LlamaForCausalLM(config).float().eval()


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Return what both trainers ask for their padding token; the data come as token ids."""
    words = models.WordLevel({"<pad>": PAD, "<eos>": EOS, "<unk>": 2}, unk_token="<unk>")
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(words), pad_token="<pad>", eos_token="<eos>", unk_token="<unk>"
    )


def loaded(model: LlamaForCausalLM) -> LoadedModel:
    """Return MODEL as the host's loaders do."""
    return LoadedModel(model, make_tokenizer(), name="benchmark", fingerprint="benchmark")
