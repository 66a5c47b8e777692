"""model=scratch: trains a tiny language model when it is first loaded, and keeps it on disk."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock

from prefrun.builtin.loading import no_progress_bar
from prefrun.builtin.model import load_folder
from prefrun.console import progress
from prefrun.errors import PrefrunError
from prefrun.policy.cache_store import cache_folder
from prefrun.policy.policy import LoadedModel
from prefrun.policy.tokenise import Tokeniser
from prefrun.records.split import DataSplit
from prefrun.sharing import sharing
from prefrun_lab.config import ScratchModelConfig
from prefrun_lab.corpus import build_source, learned_trees, texts_of
from prefrun_lab.likelihood import build_model, learn
from prefrun_lab.vocabulary import MAX_TOKENS, LabTokenizer, make_tokenizer

FORMAT = 2
"""Of the recipe; another one makes other models of the same configuration."""
LEARNED_BY = (
    "answers",
    "tokens",
    "layers",
    "hidden",
    "heads",
    "steps",
    "batch_size",
    "learning_rate",
    "seed",
)
"""Keys that change the weights, beside what the data hold."""


class ScratchModel:
    """The component behind `model=scratch`."""

    card = """
    A tiny Llama (RMSNorm, rotary positions, tied embeddings), trained from scratch by maximum
    likelihood on the answers of the training records of model.data, given their prompts: with
    answers=all it answers as the records do, well and badly, so that preference learning has
    something to improve. Its tokens are the characters or words of those records. The model is kept
    in the cache folder (PREFRUN_CACHE, else ~/.cache/prefrun) under scratch-models, by
    configuration and content of the data, so a sweep trains it once.
    """

    def __init__(self, config: ScratchModelConfig) -> None:
        """Raises ConfigError where model.data or model.data_keys name nothing that is there."""
        self.config = config
        self.source = build_source(config.data, config.data_keys)

    def load(self) -> LoadedModel:
        """Load model and tokenizer, in float32; train them where they are not cached.

        Raises DataError where the data cannot be learned, PrefrunError where the cache folder
        cannot be written.
        """
        key = _recipe(self.config, f"{self.config.data} {self.config.data_keys}")
        folder = sharing.get("scratch", key, self._folder)
        loaded = load_folder(
            folder,
            name=f"scratch-{self.config.data}",
            dtype="float32",
            attention=self.config.attention,
            device=self.config.device,
            lora=self.config.lora,
        )
        return replace(loaded, tokenizer=LabTokenizer.from_pretrained(folder))

    def _folder(self) -> Path:
        """Return the folder of the trained model."""
        split = self.source.load(self.config.seed)
        digest = hashlib.sha256(_recipe(self.config, split.fingerprint).encode()).hexdigest()[:40]
        models = cache_folder(None) / "scratch-models"
        folder = models / digest
        try:
            models.mkdir(parents=True, exist_ok=True)
            with FileLock(models / f".{digest}.lock"):  # other processes wait for one to train it
                if not folder.is_dir():
                    _make(split, self.config, folder)
        except OSError as error:
            raise PrefrunError(
                f"{models}: cannot be written: {error.strerror or error}\n"
                "  remedy: name another folder in the environment variable PREFRUN_CACHE"
            ) from error
        return folder


def _recipe(config: ScratchModelConfig, data: str) -> str:
    """All that the weights depend on, as text; DATA names the records."""
    keys = dataclasses.asdict(config)
    return json.dumps([FORMAT, data, [keys[name] for name in LEARNED_BY]], default=str)


def _make(split: DataSplit, config: ScratchModelConfig, folder: Path) -> None:
    """Train a model on SPLIT and write it to FOLDER, whole or not at all."""
    tokenizer = make_tokenizer(texts_of(split), config.tokens)
    trees = Tokeniser(tokenizer, MAX_TOKENS).tokenise_all(learned_trees(split, config.answers))
    with torch.random.fork_rng(devices=[]), progress(f"learning {split.name}") as show:
        torch.manual_seed(config.seed)
        model = build_model(config, tokenizer)
        learn(model, trees, config, tokenizer.pad_token_id, show)
    staging = folder.with_suffix(".incomplete")
    shutil.rmtree(staging, ignore_errors=True)
    saving: Any = model  # transformers would leave it to the first of a job's processes
    saving.should_save_on_this_rank = lambda is_main_process: True
    with no_progress_bar():
        model.save_pretrained(staging)
    tokenizer.save_pretrained(staging)
    os.replace(staging, folder)
