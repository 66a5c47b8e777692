"""What loading any transformers model has in common."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
from transformers.utils import logging as transformers_logging

from prefrun.builtin.config import ModelDevice
from prefrun.errors import ConfigError


def chosen_device(wanted: ModelDevice, key: str) -> torch.device:
    """Return the device of this process. Raises ConfigError, naming KEY, where there is no GPU."""
    if wanted is ModelDevice.cuda and not torch.cuda.is_available():
        raise ConfigError(f"{key}=cuda, but torch finds no GPU\n  remedy: {key}=cpu")
    if wanted is ModelDevice.cpu or not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


@contextmanager
def no_progress_bar() -> Iterator[None]:
    """Keep transformers' own bar from tearing the host's."""
    logging: Any = transformers_logging
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def fit_tokenizer(tokenizer: Any, model: Any, place: str) -> None:
    """Give TOKENIZER a padding token that MODEL's embedding has; the attention mask hides it.

    Raises ConfigError, naming PLACE, if the tokenizer has no such token, or knows other tokens that
    the embedding lacks.
    """
    rows = model.get_input_embeddings().weight.shape[0]
    pad = tokenizer.pad_token_id
    if pad is None or pad >= rows:
        if tokenizer.eos_token_id is None:
            raise ConfigError(
                f"{place}: the tokenizer has neither pad_token nor eos_token"
                + (f" (pad_token is {pad}, the embedding has {rows} rows)" if pad else "")
                + "\n  remedy: set one in its tokenizer_config.json"
            )
        tokenizer.pad_token = tokenizer.eos_token
    beyond = {token: number for token, number in tokenizer.get_vocab().items() if number >= rows}
    beyond = {token: number for token, number in beyond.items() if number != pad}
    if beyond:
        token, number = max(beyond.items(), key=lambda item: item[1])
        raise ConfigError(
            f"{place}: the tokenizer knows token {number} ({token!r}), and the model's embedding "
            f"has {rows} rows, 0 to {rows - 1}\n  remedy: use the model's own tokenizer, or call "
            f"model.resize_token_embeddings({number + 1}) and save model and tokenizer"
        )


def stored_tokenizer(tokenizer: Any) -> Any:
    """Return TOKENIZER as it was read: a padding token of `fit_tokenizer` is for this run only."""
    read = tokenizer.init_kwargs.get("pad_token")
    if tokenizer.pad_token != tokenizer.eos_token or str(read) == tokenizer.eos_token:
        return tokenizer
    stored = deepcopy(tokenizer)
    stored.pad_token = read
    return stored


def savable(model: Any) -> Any:
    """Return MODEL with generation settings that transformers agrees to write.

    Published models have a temperature and no `do_sample`; transformers reads and does not save it.
    """
    settings = model.generation_config
    if settings is not None:
        try:
            settings.validate(strict=True)
        except ValueError:
            settings.do_sample = True
    return model
