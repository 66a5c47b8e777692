"""What loading any transformers model has in common."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
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
