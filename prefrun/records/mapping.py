"""Gives a record the columns its format knows, from those that it has (data.columns)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from prefrun.errors import DataError, closest
from prefrun.records.columns import SEVERAL, Columns, Expressions, expressions
from prefrun.records.converters.fields import as_list, kind_of
from prefrun.records.paths import Expression
from prefrun.records.place import Place, ReadRow, Row
from prefrun.records.winner import ranks_of_winner

FAMILIES = {
    "pairs": ("chosen", "rejected", "votes"),
    "lists": ("answers", "answer", "scores", "ranks", "winner", "votes"),
    "steps": ("completions", "labels"),
    "singles": ("completion", "messages", "label"),
}
"""Targets that belong together; a column that has the name of a key of another family is none."""
SHARED = ("prompt", "system", "tools")
TARGETS = (*SHARED, *dict.fromkeys(name for names in FAMILIES.values() for name in names))
TARGETS += ("responses", "objectives", "prefix", "dialogue", "chat")
"""What formats read; no other column may stand there."""
GROUPED = "rows"
"""The only key of several rows with one prompt."""


@dataclass(frozen=True)
class RowMapping:
    """How rows become those of a format."""

    columns: Columns
    ignored: tuple[str, ...] = ()
    chat: bool = False
    """Whether a text prompt is a user message."""
    read: Expressions = field(init=False)
    seen: set[str] = field(default_factory=set)
    """The expressions that some record had a value for."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "read", expressions(self.columns))

    @property
    def is_grouped(self) -> bool:
        """Whether several rows are one record."""
        return "answer" in self.read.single

    @cached_property
    def named(self) -> tuple[str, ...]:
        """The targets whose columns have their names."""
        given = {*self.read.single, *self.read.several, *(["winner"] if self.read.winner else [])}
        families = [names for names in FAMILIES.values() if given & set(names)]
        some = families or FAMILIES.values()
        known = list(dict.fromkeys(name for names in some for name in names))
        taken = {*given, *self.ignored, "answer"}
        return tuple(name for name in (*SHARED, *known) if name not in taken)

    @property
    def given(self) -> tuple[str, ...]:
        """The targets that the mapping names columns for."""
        winner = ("winner",) if self.read.winner else ()
        objectives = ("objectives",) if self.read.objectives else ()
        return (*self.read.single, *self.read.several, *winner, *objectives)

    @property
    def sources(self) -> tuple[str, ...]:
        """The paths of the columns that are named by the mapping."""
        return tuple(_path(part) for each in self.read.all for part in each.parts)

    def source(self, target: str) -> str:
        """Return where a row holds TARGET, such as 'chosen' or 'responses[1]'."""
        name, bracket, rest = target.partition("[")
        index, _, below = rest.partition("]")
        plural = "answers" if name == "responses" else name
        if plural in self.read.several and bracket:
            some = self.read.several[plural]
            if len(some) > 1 and index.isdigit():
                return some[int(index)].text + below
            return (
                f"{some[0].text} (number {int(index) + 1}){below}"
                if index.isdigit()
                else some[0].text
            )
        if plural in self.read.several:
            return ", ".join(each.text for each in self.read.several[plural])
        if name == "responses":
            return self.read.single["answer"].text if self.is_grouped else f"answers{bracket}{rest}"
        head, dot, tail = target.partition(".")
        head, bracket, rest = head.partition("[")
        if head in self.read.single:
            return f"{self.read.single[head].text}{bracket}{rest}{dot}{tail}"
        return target

    def apply(self, row: Row) -> dict[str, Any]:
        """Return ROW as its format reads it. Raises DataError naming the column."""
        first = row[GROUPED][0] if self.is_grouped else row
        taken = {*TARGETS, *(path[0] for each in self.read.all for path in each.parts)}
        found = {name: value for name, value in first.items() if name not in taken}
        found |= {name: first[name] for name in self.named if name in first}
        for name, expression in self.read.single.items():
            value = self._read(expression, first)
            if value is not None:
                found[name] = value
        found |= {key: True for key in ("dialogue",) if self.columns.dialogue}
        if self.chat:
            found["chat"] = True
        rows = row[GROUPED] if self.is_grouped else None
        for name in SEVERAL:
            if name in self.read.several:
                found[name] = self._several(self.read.several[name], first, rows)
        self._add_lists(found, first, rows)
        return found

    def _add_lists(self, found: dict[str, Any], row: Row, rows: Sequence[Row] | None) -> None:
        """Turn the answers, and what says which is better, into the columns of a list."""
        if rows is not None:
            found["answers"] = [self._read(self.read.single["answer"], each) for each in rows]
            found.pop("answer", None)
        if "answers" not in found:
            return
        found["responses"] = answers = as_list(found.pop("answers"), "answers")
        if "scores" in found:
            found["scores"] = [as_score(each) for each in as_list(found["scores"], "scores")]
        winner = (
            self._read(self.read.winner, row) if self.read.winner else found.pop("winner", None)
        )
        if winner is not None:
            names = [each.text for each in self.read.several.get("answers", ())]
            name = self.read.winner.text if self.read.winner else "winner"
            found["ranks"] = ranks_of_winner(
                winner, name, len(answers), names, self.columns.winner_values
            )
        elif self.read.winner:
            raise DataError("missing", field=self.read.winner.text, remedy="leave the record out")
        if self.read.objectives:
            found["objectives"] = {
                name: [as_score(each) for each in self._several(some, row, rows)]
                for name, some in self.read.objectives.items()
            }

    def in_words_of(self, row: Row, error: DataError) -> DataError:
        """Return ERROR with the column of ROW in the place of the target that it names."""
        first = row[GROUPED][0] if self.is_grouped else row
        target = error.field or ""
        name = self.source(target)
        remedy = error.remedy
        if error.problem.endswith("not a rank") and "ranks" in self.read.several:
            turned = [f"-{each.text}" for each in self.read.several["ranks"]]
            scores = turned[0] if len(turned) == 1 else f"[{','.join(turned)}]"
            remedy = f"the best one has 1; for ranks from 0: data.columns.scores={scores}"
        if name != target and error.problem.startswith("missing"):
            names = [str(key) for key in first]
            remedy = f"correct data.columns.{target}; the columns here are: {', '.join(names)}"
            return DataError(f"missing.{closest(name, names)}", field=name, remedy=remedy)
        return DataError(error.problem, field=name or None, remedy=remedy)

    def refuse_unseen(self, given: Columns, file: str | None) -> None:
        """Raise DataError for a column GIVEN by the user that no record had."""
        for expression in expressions(given).all:
            if expression.text not in self.seen:
                raise DataError(
                    f"no record has the column {expression.text}, which data.columns names",
                    file=file,
                    remedy="correct its name",
                )

    def _read(self, expression: Expression, row: Row) -> Any:
        value = expression.read(row)
        if value is not None and not _is_all_none(value):
            self.seen.add(expression.text)
        return value

    def _several(
        self, some: tuple[Expression, ...], row: Row, rows: Sequence[Row] | None
    ) -> list[Any]:
        if rows is not None:
            return [self._read(some[0], each) for each in rows]
        if len(some) > 1:
            return [self._read(each, row) for each in some]
        value = self._read(some[0], row)
        if not isinstance(value, list | tuple):
            problem = "missing" if value is None else f"is {kind_of(value)}, not a list"
            remedy = "name a column with one value per answer, or a column for each answer: [a,b]"
            raise DataError(problem, field=some[0].text, remedy=remedy)
        return list(value)

    def grouped(self, rows: Iterable[ReadRow]) -> Iterator[ReadRow]:
        """Yield one row for all ROWS with one prompt, at the place of the first of them."""
        groups: dict[str, tuple[Place, list[Row]]] = {}
        for place, row in rows:
            if isinstance(row, DataError):
                yield place, row
                continue
            prompt = self.read.single["prompt"].read(row) if "prompt" in self.read.single else None
            asked = [row.get("prompt") if prompt is None else prompt, row.get("system")]
            key = json.dumps(asked, sort_keys=True, default=str)
            groups.setdefault(key, (place, []))[1].append(row)
        for place, members in groups.values():
            yield place, {GROUPED: members}


def as_score(value: Any) -> Any:
    """Return a number of VALUE if it is one, also as text or as true or false; else VALUE.

    None for a rating that was not given, such as 'N/A'.
    """
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        if value.strip().upper() in ("N/A", "NA", ""):
            return None
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _is_all_none(value: Any) -> bool:
    return isinstance(value, list) and all(_is_all_none(each) or each is None for each in value)


def _path(keys: Sequence[str | int]) -> str:
    path = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return path.removeprefix(".")
