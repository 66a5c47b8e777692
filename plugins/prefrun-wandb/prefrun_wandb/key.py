"""Whether this machine knows an API key. Asks nobody and shows no prompt."""

from __future__ import annotations

import os
from netrc import NetrcParseError, netrc
from pathlib import Path
from urllib.parse import urlsplit

VARIABLES = ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE")
PUBLIC_HOSTS = ("api.wandb.ai", "api.forge.coreweave.com")
"""Two names of the same public service: wandb looks a key up under both."""


def has_key(base_url: str) -> bool:
    """Whether the environment or the netrc file holds a key for the server at BASE_URL."""
    if any(os.environ.get(name) for name in VARIABLES):
        return True
    host = urlsplit(base_url).netloc
    hosts = PUBLIC_HOSTS if host in PUBLIC_HOSTS else (host,)
    return any(_in_netrc(host) for host in hosts)


def _in_netrc(host: str) -> bool:
    named = os.environ.get("NETRC")
    files = [named] if named else ["~/.netrc", "~/_netrc"]
    for file in files:
        try:
            entry = netrc(Path(file).expanduser()).authenticators(host)
        except (OSError, NetrcParseError):
            continue
        if entry and entry[2]:
            return True
    return False
