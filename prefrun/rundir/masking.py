"""Keeps secrets out of every file of a run or a sweep."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from logging import Formatter, LogRecord, getLogger
from typing import Any

from prefrun.escaping import visible

MASK = "***"
_PLAIN = "key|auth|pwd|pat"
"""Secrets where they are the name of a setting; in running text they are words as others are."""
_NAME = (
    r"(?:api|access|private|secret|account|master|signing|encryption|license|deploy)_?keys?"
    r"|(?:auth|access|refresh|bearer)?_?token|(?:client)?_?secret|[A-Z]*passw(?:or)?d|passphrase"
    r"|credentials?|cookie|authorization"
)
_SECRET_KEY = re.compile(rf"(?:^|[._-])(?:{_NAME}|{_PLAIN})$", re.IGNORECASE)
_HARMLESS = re.compile(
    r"(?:^|[._])(?:columns[.].*|(?:pad|eos|bos|unk|sep|cls|mask|end|stop|image|special)_token"
    r"|(?:sort|group|primary|foreign|public|cache|column|field|record)_key)$",
    re.IGNORECASE,
)
"""Names of columns, tokens of a vocabulary, and keys that open nothing."""
_VALUE = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^,}\]&\s'"]+)"""
_INSIDE = re.compile(
    r"(?P<name>(?<![A-Za-z0-9_-])[\w.-]{0,80}?"
    rf"(?:(?<![A-Za-z0-9])(?:{_NAME})|[_-](?:{_PLAIN})|(?<=[.])(?:{_PLAIN})))"
    rf"(?P<sign>\\?['\"]?\s*\\?[:=]\s*\\?)(?P<value>(?:(?:Bearer|Basic|Token)\s+)?{_VALUE})",
    re.IGNORECASE,
)
_SETTING = re.compile(
    rf"(?P<name>(?<![\w.-])(?:{_PLAIN}))(?P<sign>=|['\"]\s*:\s*|:\s*(?=['\"]))"
    rf"(?P<value>(?!VALUE\b){_VALUE})",
    re.IGNORECASE,
)
_URL_PASSWORD = re.compile(r"(\w+\\?://[^/\s:@\\]*\\?:)[^/\s@]+(@)")  # Hydra escapes colons
_URL_TOKEN = re.compile(r"(\w+\\?://)[^/\s:@\\]{20,}(@)")


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
    if key and is_secret(key) and value is not None and not _is_section(key, value):
        return MASK
    if isinstance(value, Mapping):
        return {name: mask_values(item, str(name)) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [mask_values(item) for item in value]
    return mask_text(value) if isinstance(value, str) and "://" in value else value


def mask_text(text: str) -> str:
    """Return TEXT, such as a message, with what follows a name of a secret masked."""
    for pattern in (_INSIDE, _SETTING):
        text = pattern.sub(_hide, text)
    return _URL_TOKEN.sub(rf"\1{MASK}\2", _URL_PASSWORD.sub(rf"\1{MASK}\2", text))


def holds_mask(value: Any) -> bool:
    """Whether nested VALUE has an entry that was masked."""
    if isinstance(value, Mapping | list):
        return any(map(holds_mask, value.values() if isinstance(value, Mapping) else value))
    return isinstance(value, str) and MASK in value


class MaskingFormatter(Formatter):
    """Keeps secrets and control characters out of a log, tracebacks included."""

    def __init__(self, inner: Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: LogRecord) -> str:
        """Return the line of the inner formatter, masked, with control characters as escapes."""
        return visible(mask_text(self._inner.format(record)))


def mask_handlers() -> None:
    """Let every handler that Hydra's logging gave the root logger mask what it writes."""
    for handler in getLogger().handlers:
        if not isinstance(handler.formatter, MaskingFormatter):
            handler.setFormatter(MaskingFormatter(handler.formatter or Formatter()))


def is_secret(key: str) -> bool:
    """Whether KEY, such as 'tracker.api_key' or 'OPENAI_KEY', names a secret.

    'max_new_tokens', 'tokenizer.pad_token' and 'data.columns.key' do not.
    """
    key = key.replace("-", "_")
    return bool(_SECRET_KEY.search(key)) and not _HARMLESS.search(key)


def _is_section(key: str, value: Any) -> bool:
    """Whether KEY, such as 'auth', is a heading of settings with names of their own."""
    return isinstance(value, Mapping) and re.search(rf"(?:^|[.])(?:{_PLAIN})$", key) is not None


def _hide(found: re.Match[str]) -> str:
    """The text FOUND with its value masked, between quotes if it had some."""
    if not is_secret(found["name"]):
        return found[0]
    quote = found["value"][:1] if found["value"][:1] in "\"'" else ""
    return f"{found['name']}{found['sign']}{quote}{MASK}{quote}"


def _mask_argument(argument: str) -> str:
    key, equals, _ = argument.partition("=")
    if equals and is_secret(key.lstrip("+~-")):
        return f"{key}={MASK}"
    return mask_text(argument)
