"""Whether the Hugging Face hub can be reached, found out in less time than its client's retries."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from urllib.parse import urlsplit
from urllib.request import getproxies

from huggingface_hub import constants


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
