"""Keeps secrets out of the manifest."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

MASK = "***"
_NAME = r"(?:api_?key|access_?key|private_?key|token|secret|password|passwd|credentials?)"
_SECRET_KEY = re.compile(rf"(?:^|[._-]){_NAME}$", re.IGNORECASE)
_INSIDE = re.compile(
    rf"((?<![A-Za-z0-9])(?:\w+[_-])?{_NAME}['\"]?\s*[:=]\s*)[^,}}\]&\s]+", re.IGNORECASE
)
_URL_PASSWORD = re.compile(r"(\w+://[^/\s:@]*:)[^/\s@]+(@)")


def mask_arguments(arguments: Sequence[str]) -> list[str]:
    """Return command-line ARGUMENTS with the value of every key that names a secret masked."""
    masked: list[str] = []
    hide_next = False
    for argument in arguments:
        masked.append(MASK if hide_next else _mask_argument(argument))
        option = argument.startswith("-") and "=" not in argument
        hide_next = option and is_secret(argument.lstrip("-"))
    return masked


def mask_values(value: Any, key: str = "") -> Any:
    """Return nested VALUE with every entry below a key that names a secret masked."""
    if key and is_secret(key) and value is not None:
        return MASK
    if isinstance(value, Mapping):
        return {name: mask_values(item, str(name)) for name, item in value.items()}
    if isinstance(value, str):
        return _URL_PASSWORD.sub(rf"\1{MASK}\2", value)
    return value


def is_secret(key: str) -> bool:
    """Whether KEY, such as 'tracker.api_key', names a secret; 'max_new_tokens' does not."""
    return _SECRET_KEY.search(key.replace("-", "_")) is not None


def _mask_argument(argument: str) -> str:
    key, equals, value = argument.partition("=")
    if equals and is_secret(key.lstrip("+~-")):
        return f"{key}={MASK}"
    return _URL_PASSWORD.sub(rf"\1{MASK}\2", key + equals + _INSIDE.sub(rf"\1{MASK}", value))
