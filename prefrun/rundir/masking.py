"""Keeps secrets out of every file of a run or a sweep."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from logging import Formatter, LogRecord
from typing import Any

MASK = "***"
_NAME = r"(?:api_?key|access_?key|private_?key|token|secret|password|passwd|credentials?)"
_SECRET_KEY = re.compile(rf"(?:^|[._-]){_NAME}$", re.IGNORECASE)
_INSIDE = re.compile(
    rf"((?<![A-Za-z0-9])(?:\w+[_-])?{_NAME}['\"]?\s*\\?[:=]\s*)[^,}}\]&\s]+", re.IGNORECASE
)
_URL_PASSWORD = re.compile(r"(\w+\\?://[^/\s:@\\]*\\?:)[^/\s@]+(@)")  # Hydra escapes colons


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
    if isinstance(value, list | tuple):
        return [mask_values(item) for item in value]
    return mask_text(value) if isinstance(value, str) and "://" in value else value


def mask_text(text: str) -> str:
    """Return TEXT, such as a message, with what follows a name of a secret masked."""
    return _URL_PASSWORD.sub(rf"\1{MASK}\2", _INSIDE.sub(rf"\1{MASK}", text))


def holds_mask(value: Any) -> bool:
    """Whether nested VALUE has an entry that was masked."""
    if isinstance(value, Mapping | list):
        return any(map(holds_mask, value.values() if isinstance(value, Mapping) else value))
    return isinstance(value, str) and MASK in value


class MaskingFormatter(Formatter):
    """Keeps secrets out of a log file, tracebacks included."""

    def format(self, record: LogRecord) -> str:
        """Return the line, masked."""
        return mask_text(super().format(record))


def is_secret(key: str) -> bool:
    """Whether KEY, such as 'tracker.api_key', names a secret; 'max_new_tokens' does not."""
    return _SECRET_KEY.search(key.replace("-", "_")) is not None


def _mask_argument(argument: str) -> str:
    key, equals, value = argument.partition("=")
    if equals and is_secret(key.lstrip("+~-")):
        return f"{key}={MASK}"
    return _URL_PASSWORD.sub(rf"\1{MASK}\2", key + equals + _INSIDE.sub(rf"\1{MASK}", value))
