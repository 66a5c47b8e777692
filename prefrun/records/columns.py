"""The keys data.columns.*: which column of a file is the prompt, which an answer, and so on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from prefrun.errors import ConfigError
from prefrun.records.paths import Expression, parse

KEY = "data.columns"
SINGLE = [
    "prompt",
    "system",
    "tools",
    "prefix",
    "chosen",
    "rejected",
    "completion",
    "label",
    "completions",
    "labels",
    "messages",
    "answer",
]
"""Targets that take one column."""
SEVERAL = ("answers", "scores", "ranks", "votes")
"""Targets that take a column with a list, or a list of columns."""

_OURS = re.compile(r"\+{0,2}(data\.)?columns\.[\w.]+")
_EVERY = re.compile(r"(?<=[\w\]])\[\]")
_INDEXED = re.compile(r"[\w.+-]+(\[\d+\][\w.+-]*)+")


@dataclass
class Columns:
    """Where in a record each thing lies. A column that has the name of its key needs none.

    A column is a name, or a path such as info.post, or answers.text for that of every answer (also
    written answers[].text), or answers[0].text for that of the first. `a+b` joins two texts.
    """

    prompt: str | None = None
    """Text, or messages {role, content} or {from, value}."""
    system: str | None = None
    """A system message; makes the prompt a chat."""
    tools: str | None = None
    """The tools of a chat, as its template takes them: a list, or JSON text of one."""
    prefix: str | None = None
    """What every answer begins with. It stands behind the prompt, and is not learned."""
    chosen: str | None = None
    """The better answer of a pair: text, an assistant message, or a whole dialogue."""
    rejected: str | None = None
    """The worse answer of a pair."""
    answers: Any = None
    """Several answers: a column with a list of them, or a list of columns, one each."""
    answer: str | None = None
    """One of several answers; rows with the same prompt are one record."""
    scores: Any = None
    """A number per answer, higher is better: a list or columns, as `answers`. -a turns the sign."""
    ranks: Any = None
    """A whole number per answer, 1 is the best: a list or columns, as `answers`."""
    votes: Any = None
    """How many raters preferred each answer: a list or columns, as `answers`; of a pair [for the
    chosen one, for the other]."""
    winner: str | None = None
    """Which answer is better: the name of its column, a name that ends in a, b, ... or 'tie'."""
    winner_values: Any = None
    """What `winner` holds for each answer, in the order of `answers`, such as [0,1]."""
    objectives: Any = None
    """Other scores for data.objective: a list of columns, or {name: column or columns}."""
    completion: str | None = None
    """A single answer: good or bad with `label`, else a demonstration."""
    label: str | None = None
    """Whether a single answer is good: true, false, 1 or 0."""
    completions: str | None = None
    """The steps of one answer, a list of texts."""
    labels: str | None = None
    """Whether each step is right, a list."""
    messages: str | None = None
    """A conversation whose last message is the single answer."""
    dialogue: bool = False
    """Whether the prompt is text with the turns 'Human:' and 'Assistant:', and becomes a chat."""

    def __post_init__(self) -> None:
        expressions(self)  # refuses what is no path
        if self.winner_values is not None and self.winner is None:
            raise ConfigError(f"{KEY}.winner_values does nothing without {KEY}.winner")
        if self.answer is not None and (self.answers is not None or self.winner is not None):
            other = "answers" if self.answers is not None else "winner"
            raise ConfigError(f"{KEY}.answer and {KEY}.{other} exclude each other")


@dataclass(frozen=True, slots=True)
class Expressions:
    """What the set keys of `Columns` mean."""

    single: Mapping[str, Expression] = field(default_factory=dict)
    several: Mapping[str, tuple[Expression, ...]] = field(default_factory=dict)
    """Of SEVERAL: one expression that gives a list, or one per answer."""
    objectives: Mapping[str, tuple[Expression, ...]] = field(default_factory=dict)
    winner: Expression | None = None

    @property
    def all(self) -> list[Expression]:
        """Every expression."""
        lists = [*self.several.values(), *self.objectives.values()]
        found = [*self.single.values(), *(each for some in lists for each in some)]
        return [*found, self.winner] if self.winner else found


def expressions(columns: Columns) -> Expressions:
    """Return what COLUMNS mean. Raises ConfigError for what is no path to a column."""
    single = {
        name: parse(getattr(columns, name), f"{KEY}.{name}")
        for name in SINGLE
        if getattr(columns, name) is not None
    }
    several = {
        name: _some(getattr(columns, name), f"{KEY}.{name}")
        for name in SEVERAL
        if getattr(columns, name) is not None
    }
    winner = None if columns.winner is None else parse(columns.winner, f"{KEY}.winner")
    return Expressions(single, several, _objectives(columns.objectives), winner)


def is_set(columns: Columns) -> bool:
    """Return whether some key is set."""
    return any(getattr(columns, each.name) for each in fields(columns))


def quoted_paths(arguments: Sequence[str]) -> list[str]:
    """Write paths of data.columns so that Hydra can read them: a[].b as a.b, a[0].b in quotes."""

    def readable(word: str) -> str:
        key, equals, value = word.partition("=")
        if not _OURS.fullmatch(key) or set(value) & set("\"'"):
            return word
        return key + equals + _INDEXED.sub(r'"\g<0>"', _EVERY.sub("", value))

    return [readable(word) for word in arguments]


def _some(value: Any, key: str) -> tuple[Expression, ...]:
    if isinstance(value, list | tuple):
        if not value:
            raise ConfigError(f"{key} is empty: name columns")
        return tuple(parse(each, key) for each in value)
    return (parse(value, key),)


def _objectives(value: Any) -> dict[str, tuple[Expression, ...]]:
    key = f"{KEY}.objectives"
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return {str(name): _some(each, f"{key}.{name}") for name, each in value.items()}
    found: dict[str, tuple[Expression, ...]] = {}
    for each in _some(value, key):
        name = re.split(r"[.\[\]]+", each.text.rstrip("[]"))[-1]
        if name in found:
            raise ConfigError(
                f"{key}: two columns are called {name}\n"
                f"  remedy: name them, such as {key}={{first:{each.text},second:OTHER}}"
            )
        found[name] = (each,)
    return found
