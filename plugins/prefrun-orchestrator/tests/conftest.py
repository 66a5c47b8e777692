"""A character tokenizer, a small random language model, and a small random encoder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models
from transformers import (
    BertConfig,
    BertModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from prefrun_orchestrator.topics import Topics

SPECIAL = ("<pad>", "<end>", "<unknown>")
VOCABULARY = 98
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    """One token per printable character; no chat template."""
    characters = [chr(code) for code in range(32, 127)]
    words = {word: number for number, word in enumerate((*SPECIAL, *characters))}
    base = Tokenizer(models.BPE(vocab=words, merges=[], unk_token="<unknown>"))
    base.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=base, pad_token="<pad>", eos_token="<end>", unk_token="<unknown>"
    )


def make_llama() -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        intermediate_size=64,
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=0,
        **SMALL,
    )
    return LlamaForCausalLM(config).eval()


@pytest.fixture
def llama() -> LlamaForCausalLM:
    """A language model, the same every time."""
    return make_llama()


@pytest.fixture(scope="session")
def language_model(tokenizer, tmp_path_factory) -> Path:
    """Folder of a language model and its tokenizer."""
    folder = tmp_path_factory.mktemp("model")
    make_llama().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def encoder(tokenizer, tmp_path_factory) -> Path:
    """Folder of an encoder and its tokenizer."""
    folder = tmp_path_factory.mktemp("encoder")
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=VOCABULARY, intermediate_size=64, **SMALL)).save_pretrained(
        folder
    )
    tokenizer.save_pretrained(folder)
    return folder


class Halves:
    """Shares of an answer's characters before "O" and from "O" on, among the printable ones."""

    name = "halves"
    objectives = ("r1", "r2")

    def score(self, trees, responses):
        return [sum(row) for row in self.score_objectives(trees, responses)]

    def score_objectives(self, trees, responses):
        low = [sum(c < "O" for c in text) / max(1, len(text)) for text in responses]
        return [(share, 1 - share) for share in low]


@pytest.fixture
def judged_topics(monkeypatch):
    """Let data=topics judge answers in words, too."""
    load = Topics.load
    monkeypatch.setattr(
        Topics, "load", lambda self, seed: replace(load(self, seed), reward=Halves())
    )
