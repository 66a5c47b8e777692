"""A tiny random Llama over characters, and the command run in this process."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from prefrun.cli import main
from prefrun_robust.sparsepo.world import LETTERS

CHARACTERS = (*LETTERS, ":")
SMALL = (
    "data=count_sevens",
    "data.records=24",
    "data.test_records=8",
    "model=hf",
    "evaluator=[reward]",
    "evaluation.max_new_tokens=6",
    "evaluation.bootstrap=20",
    "trainer.batch_size=4",
    "trainer.max_steps=4",
    "trainer.logging_steps=2",
    "trainer.checkpoint_steps=2",
    "trainer.learning_rate=1e-2",
)


@pytest.fixture(scope="session")
def tokenizer():
    """One token per character."""
    vocabulary = {word: place for place, word in enumerate(("<pad>", "<end>", *CHARACTERS))}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<end>"))
    words.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    words.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", eos_token="<end>", unk_token="<end>"
    )


@pytest.fixture(scope="session")
def model():
    """Two layers of random weights."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=2 + len(CHARACTERS),
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=1,
    )
    return LlamaForCausalLM(config).eval()


@pytest.fixture(scope="session")
def model_folder(tokenizer, model, tmp_path_factory) -> Path:
    """Both, saved."""
    folder = tmp_path_factory.mktemp("model")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def train(model_folder, tmp_path, monkeypatch):
    """Run `prefrun` on the small world into a folder named by the first word; return it.

    CODE: the exit code that is expected.
    """
    monkeypatch.setenv("PREFRUN_CACHE", str(tmp_path / "cache"))

    def run(name: str, *words: str, code: int = 0) -> Path:
        folder = tmp_path / name
        words = (*SMALL, f"model.name={model_folder}", f"output_dir={folder}", *words)
        assert main(words) == code
        return folder

    return run
