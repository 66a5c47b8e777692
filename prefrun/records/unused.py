"""Finds the text of a record that its format does not use, so that none is dropped in silence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from prefrun.errors import DataError
from prefrun.records.config import ALL, IGNORE
from prefrun.records.format import Format
from prefrun.records.paths import Keys, split_path
from prefrun.records.place import ReadRow, Row, placed

LONGEST_NAME = 100
"""Characters; longer values of a column such as `source` are more than a name."""

_BOOKKEEPING = re.compile(
    r"(.*[_-])?(ids?|uuid|uid|hash|md5|sha1|sha256|source|sources|dataset|datasets|model|models|"
    r"subset|split|language|lang|license|url|timestamp|date|created|created_at|domain|category)"
    r"([_-]?[a-z0-9])?",
    re.IGNORECASE,
)
_MEDIA = re.compile(
    r"(images?|audios?|videos?|pictures?|pixel_values|jpg|png|wav)([_-]?\w)?([_-](url|path|bytes))?",
    re.IGNORECASE,
)
_TEXTS = r"(answer|response|output|completion|text)"
_LIKELY = {
    "prompt": r"(text_)?prompt|question|query|instruction|input|post|history|problem|context|task",
    "system": r"system(_?(prompt|message))?|custom_system_prompt",
    "tools": r"tools|functions",
    "prefix": r"prefix|initial_reason_steps",
    "chosen": r"(chosen|accepted)(_?\w+)?|(preferred|better|best|winning|positive)_" + _TEXTS,
    "rejected": r"(reject|rejected)(_?\w+)?|(non_preferred|worse|worst|losing|negative)_" + _TEXTS,
    "answers": r"(answers|responses|completions|generations|candidates|outputs|summaries)(\W.*)?",
    "completion": r"answer|response|completion|output|generation|reply|solution",
}
"""What a column's name lets one think it is; the first that matches its last word."""

_NUMBERED = re.compile(
    r"(\w*(?:answer|response|completion|output|summary|reply|_ref)s?)_?([0-9a-d])", re.IGNORECASE
)
SHOWN = 8
"""Names in a message."""

Known = dict[str | int, Any]
"""The keys that are used: True, or what is known of the value below."""


class ColumnCheck:
    """Refuses records with text that a format does not use and the user has not set aside."""

    def __init__(self, record_format: Format, ignored: Sequence[str]) -> None:
        """Raises ConfigError for an IGNORED that is no path."""
        self.format = record_format
        self.is_off = ALL in ignored or record_format.columns is None
        paths = [(path, "a format") for path in (record_format.columns or ())]
        paths += [(path, "a format") for path in record_format.bookkeeping]
        paths += [(path, IGNORE) for path in ignored if path != ALL]
        self.known: Known = {}
        for path, key in paths:
            _add(self.known, split_path(path, key))
            self.known[path] = True  # a column whose name holds a dot

    def check(self, row: Row) -> None:
        """Raise DataError where ROW holds pictures, sound or text that nothing uses."""
        if self.is_off:
            return
        names = list(dict.fromkeys(_unused(row, self.known, "")))
        refuse_media([name for name, kind in names if kind == "media"])
        texts = [name for name, _ in names if not self._is_copy(name, row)]
        if texts:
            plural, verb = ("s", "hold") if len(texts) > 1 else ("", "holds")
            raise DataError(
                f"the column{plural} {_some(texts)} would not be used, but {verb} text",
                remedy=self._advice(texts, row),
            )

    def _is_copy(self, name: str, row: Row) -> bool:
        """Return whether the column NAME holds the same as one that is used, so nothing is lost."""
        value = row.get(name.partition("[")[0])
        used = (row[key] for key in row if self.known.get(key) is True)
        return value is not None and any(value == each for each in used)

    def _advice(self, names: Sequence[str], row: Row) -> str:
        """Return the mapping that would use NAMES, and how to say that they are not wanted."""
        prompt = self.format.prompt_field
        open_targets = [each for each in self.format.targets if each == "prompt" or each not in row]
        ways = likely_mapping(names, open_targets)
        if prompt in row and prompt not in names:
            ways = ways.replace(".prompt=", f".prompt={prompt}+")
        ignoring = self._ignoring(names)
        if ways:
            return f"use {ways}; what is meant to be unused is named by {ignoring}"
        if self.format.targets:
            return f"say what they are by data.columns.TARGET=COLUMN, or leave them out: {ignoring}"
        return f"if they are meant to be unused: {ignoring}"

    def _ignoring(self, names: Sequence[str]) -> str:
        """Return the word that ignores NAMES: a whole column if nothing of it is used."""
        plain = [name.replace("[]", "") for name in names]
        heads = [name.partition(".")[0] for name in plain]
        shortest = [
            name if head in self.known else head for name, head in zip(plain, heads, strict=True)
        ]
        return f"'{IGNORE}=[{','.join(dict.fromkeys(shortest))}]'"

    def checked(self, rows: Iterable[ReadRow]) -> Iterator[ReadRow]:
        """Yield ROWS as they are. Raises DataError naming the record."""
        for place, row in rows:
            if not isinstance(row, DataError):
                try:
                    self.check(row)
                except DataError as error:
                    raise placed(error, place) from error
            yield place, row


def refuse_media(names: Sequence[str]) -> None:
    """Raise DataError if there are columns of pictures or sound, called NAMES."""
    if names:
        raise DataError(
            "holds pictures or sound, and only text can be read",
            field=names[0],
            remedy=f"to train on the text alone: '{IGNORE}=[{','.join(names)}]'",
        )


def media_in(row: Row) -> list[str]:
    """Return the columns of ROW that are called like pictures or sound and are not empty."""
    return [str(name) for name, value in row.items() if _MEDIA.fullmatch(str(name)) and value]


def is_bookkeeping(name: str, value: Any) -> bool:
    """Return whether VALUE is one word under a NAME such as id, source or model."""
    if not isinstance(value, str) or not _BOOKKEEPING.fullmatch(name):
        return False
    return len(value) <= LONGEST_NAME and len(value.split()) <= 1


def _add(known: Known, keys: Keys) -> None:
    for key in keys[:-1]:
        below = known.setdefault(key, {})
        if below is True:
            return
        known = below
    known[keys[-1]] = True


def _unused(value: Any, known: Known, path: str, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield path and kind ('text', 'media') of what KNOWN does not cover of VALUE."""
    if isinstance(value, Mapping):
        if path and value.get("bytes") is not None:
            yield path, "media"
            return
        for key, item in value.items():
            below = known.get(key, {})
            if below is True or item is None or isinstance(item, int | float):
                continue
            full = f"{path}.{key}" if path else str(key)
            if not path and _MEDIA.fullmatch(str(key)) and item:
                yield full, "media"
            else:
                yield from _unused(item, below, full, str(key))
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            below = known.get(number, known)
            if below is not True:
                yield from _unused(item, below, f"{path}[]", name)
    elif isinstance(value, bytes):
        yield path, "media"
    elif known or not isinstance(value, str):  # an object is wanted here, or it is no text
        return
    elif value.strip() and not is_bookkeeping(name, value):
        yield path, "text"


def likely_mapping(names: Sequence[str], targets: Sequence[str]) -> str:
    """Return the words that would use columns of these NAMES, as far as they tell; '' for none."""
    ways: dict[str, str] = {}
    numbered: dict[str, list[str]] = {}
    for name in names:
        if found := _NUMBERED.fullmatch(name):
            numbered.setdefault(found[1], []).append(name)
    several = next((some for some in numbered.values() if len(some) > 1), None)
    if several and "answers" in targets:
        ways["answers"] = f"[{','.join(several)}]"
    for name in names:
        last = re.split(r"[.\[\]]+", name.rstrip("[]"))[-1]
        for target, likely in _LIKELY.items():
            if not re.fullmatch(likely, last, re.IGNORECASE) or name == target:
                continue
            one_of_several = several and target in ("chosen", "rejected", "completion")
            if target in targets and target not in ways and not one_of_several:
                ways[target] = name.replace("[]", "")
            break
    hint = ""
    if "answers" in ways:
        hint = " and say which is better by data.columns.scores, ranks or winner"
    words = [f"data.columns.{target}={value}" for target, value in ways.items()]
    return " ".join(f"'{word}'" if "[" in word else word for word in words) + hint


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
