"""Tiny random models of several families, a tiny tokenizer, and records to score."""

from __future__ import annotations

import pytest
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from prefrun.policy.fingerprint import fingerprint, weights_version
from prefrun.policy.policy import LoadedModel
from prefrun.records.tree import Branch, Message, PreferenceTree, Step

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<pad>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"]
TEXT = [
    "the quick brown fox jumps over the lazy dog. name a colour: red, green or blue.",
    "Step 1: add two and two.\nStep 2: that is four.\n",
    "<|im_start|>user\nsystem\nassistant\n<|im_end|>",
]


def _train_bpe() -> Tokenizer:
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=380,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(TEXT * 4, trainer)
    return bpe


BPE = _train_bpe().to_str()


@pytest.fixture
def make_tokenizer():
    """Build a tokenizer; keywords override its special tokens and template."""

    def make(chat_template=CHATML, **overrides):
        settings = {"bos_token": "<s>", "eos_token": "<|im_end|>", "pad_token": "<pad>"}
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=Tokenizer.from_str(BPE), **(settings | overrides)
        )
        tokenizer.chat_template = chat_template
        return tokenizer

    return make


@pytest.fixture
def tokenizer(make_tokenizer):
    """A byte-level BPE with a ChatML template."""
    return make_tokenizer()


FAMILIES = {
    "llama": ("Llama", {}),
    "qwen2": ("Qwen2", {}),
    "qwen3": ("Qwen3", {"head_dim": 8}),
    "mistral": ("Mistral", {"sliding_window": 16}),
    "gemma2": ("Gemma2", {"head_dim": 8, "sliding_window": 16, "final_logit_softcapping": 5.0}),
    "gemma3": ("Gemma3", {"head_dim": 8, "sliding_window": 16}),
    "phi3": ("Phi3", {"pad_token_id": 0}),
    "gpt2": ("GPT2", {}),
    "gpt_neox": ("GPTNeoX", {}),
    "phi": ("Phi", {}),
    "cohere": ("Cohere", {"logit_scale": 0.25}),
    "granite": ("Granite", {"logits_scaling": 3.0}),
}


def build_model(family: str, dtype: torch.dtype = torch.float32, **extra):
    """A random model whose weights are large enough that a wrong mask or position shows."""
    prefix, own = FAMILIES[family]
    text = "Gemma3Text" if family == "gemma3" else prefix
    settings = dict(
        vocab_size=400,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        initializer_range=0.15,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=4,
    )
    if family == "gpt2":
        settings = {
            "vocab_size": 400,
            "n_embd": 32,
            "n_layer": 2,
            "n_head": 4,
            "n_positions": 256,
            "initializer_range": 0.15,
            "bos_token_id": 1,
            "eos_token_id": 4,
        }
    config = getattr(transformers, f"{text}Config")(**(settings | own | extra))
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config).to(dtype).eval()


@pytest.fixture
def make_model():
    """`make_model(family, dtype)` builds a tiny random model."""
    return build_model


@pytest.fixture
def loaded(tokenizer):
    """A tiny random Llama, ready to use."""
    model = build_model("llama")
    return LoadedModel(model, tokenizer, "random", fingerprint(model), weights_version(model))


def chat_tree(id: str, question: str, *answers: str) -> PreferenceTree:
    """A chat with answers of falling quality."""
    branches = tuple(
        Branch((Step(text),), scores={"overall": float(-place)})
        for place, text in enumerate(answers)
    )
    return PreferenceTree(id, (Message("user", question),), branches)


@pytest.fixture
def trees():
    """Four chats with one to four answers of very different lengths, one of them empty."""
    return [
        chat_tree("a", "name a colour", "red", "the quick brown fox jumps over the lazy dog."),
        chat_tree("b", "add two and two", "four", "that is four.", "five", ""),
        chat_tree("c", "the lazy dog " * 6, "over", "the quick brown fox " * 5),
        chat_tree("d", "blue or green?", "blue"),
    ]


@pytest.fixture
def make_chat():
    """`make_chat(id, question, *answers)` builds a chat tree."""
    return chat_tree
