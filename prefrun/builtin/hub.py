"""The Hugging Face hub: whether it can be reached, in less time than its client's retries take, and
which commit a model's name stands for."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from huggingface_hub import HfApi, constants, try_to_load_from_cache

ANSWER = 10.0
"""Seconds the hub may take to name a commit."""


@cache
def is_reachable() -> bool:
    """Tell whether the hub's host has an address; behind a proxy it is taken to be reachable."""
    if constants.HF_HUB_OFFLINE:
        return False
    if getproxies():
        return True
    try:
        socket.getaddrinfo(urlsplit(constants.ENDPOINT).hostname, 443)
    except OSError:
        return False
    return True


@cache
def commit_of(name: str, revision: str | None = None) -> str | None:
    """Return the commit of REVISION (None: the main branch) of the model NAME on the hub.

    If the hub does not answer, that of the cached files; None if there are none.
    """
    if is_reachable():
        with suppress(Exception):  # no such model, no access, no answer: loading it says which
            return HfApi().model_info(name, revision=revision, timeout=ANSWER).sha
    for file in ("config.json", "adapter_config.json"):
        with suppress(ValueError):  # it can be no name on the hub
            found = try_to_load_from_cache(name, file, revision=revision)
            if isinstance(found, str):  # .../snapshots/COMMIT/FILE
                return Path(found).parent.name
    return None


@contextmanager
def asking_once() -> Iterator[None]:
    """Let the hub's client ask only its cache where the hub cannot be reached, and not try again.

    Its own retries take half a minute, and say so on the terminal.
    """
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not is_reachable()
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
