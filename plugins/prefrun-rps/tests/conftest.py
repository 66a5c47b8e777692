"""A byte tokenizer with a chat template, and small random models of several families."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

SPECIAL = ("<pad>", "<end>", "<system>", "<user>", "<assistant>")
TEMPLATE = (
    "{% for message in messages %}{{ '<' + message['role'] + '>' + message['content'] + '<end>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<assistant>' }}{% endif %}"
)
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
FAMILIES = {
    "llama": {**SMALL, "intermediate_size": 64, "num_key_value_heads": 2},
    "qwen2": {**SMALL, "intermediate_size": 64, "num_key_value_heads": 2},
    "mistral": {
        **SMALL,
        "intermediate_size": 64,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "sliding_window": 512,
    },
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512},
    "gpt_neox": {**SMALL, "intermediate_size": 64},
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4},
    "mamba": {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4},
}


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    """One token per byte."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = {word: number for number, word in enumerate((*SPECIAL, *alphabet))}
    base = Tokenizer(models.BPE(vocab=words, merges=[]))
    base.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    base.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=base,
        pad_token="<pad>",
        eos_token="<end>",
        additional_special_tokens=list(SPECIAL[2:]),
        chat_template=TEMPLATE,
    )


@pytest.fixture(scope="session")
def make_model() -> Callable[..., torch.nn.Module]:
    """Return a function that makes a random model of a family, the same every time."""
    return _make_model


def _make_model(family: str, **changes: object) -> torch.nn.Module:
    torch.manual_seed(0)
    keys = {**FAMILIES[family], **changes}
    config = AutoConfig.for_model(
        family, vocab_size=261, bos_token_id=None, eos_token_id=1, pad_token_id=0, **keys
    )
    model = AutoModelForCausalLM.from_config(config).eval()
    for weight in model.parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=0.3)  # the usual one makes every token alike
    return model


@pytest.fixture(scope="session")
def llama() -> torch.nn.Module:
    """A model for tests that leave it as it is."""
    return _make_model("llama")
