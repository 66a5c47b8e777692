"""Whether the Hugging Face hub can be reached, found out in less time than its client's retries."""

from __future__ import annotations

import socket
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
