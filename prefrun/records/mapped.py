"""From rows with any columns to the records of a data source: layout, mapping, format, split."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from prefrun.errors import ConfigError, DataError, closest
from prefrun.records.columns import KEY, SINGLE, expressions
from prefrun.records.config import MappedDataConfig
from prefrun.records.converters.demonstrations import DEMONSTRATION
from prefrun.records.converters.hh import HH
from prefrun.records.converters.trl import KEYS, detect_format
from prefrun.records.converters.trl_preference import IMPLICIT
from prefrun.records.dataset import build_split
from prefrun.records.format import Format
from prefrun.records.known_layouts import LAYOUTS
from prefrun.records.layouts import Layout, layout_of
from prefrun.records.mapping import RowMapping
from prefrun.records.place import Place, ReadRow, Row, placed
from prefrun.records.split import DataSplit
from prefrun.records.tree import PreferenceTree
from prefrun.records.unused import ColumnCheck, likely_mapping, media_in, refuse_media

TARGETS = (*SINGLE, "answers")
OpenRows = Callable[[], Iterable[ReadRow]]
"""Gives the rows from the first one on, each time it is called."""
HH_NOTE = "prompt: the turns 'Human:' and 'Assistant:' that both texts share, as data=hh reads them"
IMPLICIT_NOTE = "prompt: what both answers begin with (data.format=implicit_prompt)"


def mapped_split(
    name: str,
    rows: OpenRows,
    config: MappedDataConfig,
    *,
    held_out: OpenRows | None = None,
    named_format: Format | None = None,
) -> DataSplit:
    """Read ROWS, whatever their columns, and split them; HELD_OUT are test rows of their own.

    The mapping is that of the configuration, over that of the layout that it names or that the
    first row's columns tell; the format is NAMED_FORMAT, or told by the mapped columns.
    Raises ConfigError for a mapping that fits no format, DataError for a record.
    """
    _refuse_unknown(rows, config)
    layout = _layout(rows, config)
    columns = layout.mapping(config.columns) if layout else config.columns
    mapping = RowMapping(columns, tuple(config.ignore_columns), config.chat)
    found = named_format or _find_format(rows, mapping)
    mapped = _mapped(found, mapping, layout)
    _refuse_idle(mapping, found)
    split = build_split(
        name,
        _prepared(rows, mapping, mapped, config),
        replace(mapped, columns=None) if mapping.is_grouped else mapped,
        config,
        held_out=_prepared(held_out, mapping, mapped, config) if held_out else None,
        note=_note(layout, found),
    )
    mapping.refuse_unseen(config.columns, config.path)
    _refuse_mixture([*split.train, *split.test])
    return replace(split, note="; ".join(filter(None, [split.note, _last_answer(split, found)])))


def _last_answer(split: DataSplit, found: Format) -> str:
    """Say that only the last answer of a conversation is learned, where there are others."""
    answered = (
        message.role == "assistant"
        for tree in split.train
        if isinstance(tree.prompt, tuple)
        for message in tree.prompt
    )
    is_shown = found is DEMONSTRATION and any(answered)
    return "of every conversation only the last answer is learned" if is_shown else ""


def _refuse_mixture(trees: Sequence[PreferenceTree]) -> None:
    """Raise DataError where some prompts are text and others chats, which are not read alike."""
    firsts = {isinstance(tree.prompt, str): tree.id for tree in reversed(trees)}
    if len(firsts) > 1:
        raise DataError(
            f"the prompt of {firsts[False]} is a chat, that of {firsts[True]} is plain text",
            remedy="make them alike; data.chat=true makes every text a user message",
        )


def _prepared(
    rows: OpenRows, mapping: RowMapping, mapped: Format, config: MappedDataConfig
) -> Iterable[ReadRow]:
    if not mapping.is_grouped:
        return rows()
    return mapping.grouped(ColumnCheck(mapped, config.ignore_columns).checked(rows()))


def _layout(rows: OpenRows, config: MappedDataConfig) -> Layout | None:
    if config.layout is not None:
        return LAYOUTS[config.layout]
    if config.has_columns:
        return None
    names = {*map(str, next(_readable(rows), ()))}
    return layout_of(names - {*config.ignore_columns}, LAYOUTS.values())


def _readable(rows: OpenRows) -> Iterator[Row]:
    return (row for _, row in rows() if not isinstance(row, DataError))


def _refuse_unknown(rows: OpenRows, config: MappedDataConfig) -> None:
    """Raise DataError for a column that the user names and no record has."""
    missing = {
        str(part[0]) for expression in expressions(config.columns).all for part in expression.parts
    }
    literal = {each.text: str(each.parts[0][0]) for each in expressions(config.columns).all}
    names: set[str] = set()
    for row in _readable(rows):
        if not missing:
            return
        names.update(map(str, row))
        missing -= names | {head for text, head in literal.items() if text in names}
    if missing and names:
        column = min(missing)
        raise DataError(
            f"no record has the column {column}.{closest(column, sorted(names))}",
            file=config.path,
            remedy=f"correct data.columns; the columns are {', '.join(sorted(names))}",
        )


def _find_format(rows: OpenRows, mapping: RowMapping) -> Format:
    """Return the format of the first row that has one. Raises DataError where no row has."""
    fault: DataError | None = None
    first: tuple[Place, Row] | None = None
    every = mapping.grouped(rows()) if mapping.is_grouped else rows()
    for place, row in every:
        try:
            if isinstance(row, DataError):
                raise row
            first = first or (place, row)
            found = detect_format(mapping.apply(row))
        except DataError as error:
            fault = fault or (error if error.file else placed(error, place))
            continue
        if found is not None:
            return found
    if fault is not None:
        raise fault
    if first is None:
        raise DataError("no records", remedy="give a file with records")
    place, row = first
    try:
        refuse_media(media_in(row))
    except DataError as error:
        raise placed(error, place) from error
    formats = "; ".join(f"{found.name}: {', '.join(keys)}" for found, keys in KEYS)
    likely = likely_mapping([str(name) for name in row], TARGETS)
    raise place.error(
        f"the keys {', '.join(map(str, row))} are those of no TRL preference format",
        remedy=f"say what the columns are: {likely or f'{KEY}.prompt=COLUMN'} and so on, or give "
        f"records with the keys of one format ({formats})",
    )


def _mapped(found: Format, mapping: RowMapping, layout: Layout | None) -> Format:
    """Return FOUND with rows that go through MAPPING, speaking of the columns that there are."""

    def read(row: Row, id: str) -> PreferenceTree:
        mapped = mapping.apply(row)
        try:
            return found.read(mapped, id)
        except DataError as error:
            raise mapping.in_words_of(row, error) from error

    wanted = {"answers" if name == "responses" else name for name in found.columns or ()}
    if "answers" in wanted:
        wanted.add("winner")
    named = [name for name in mapping.named if name in wanted]
    return replace(
        found,
        read=read,
        prompt_field=mapping.source(found.prompt_field),
        answers_field=_answers_field(found, mapping),
        answer_field=lambda index: mapping.source(found.answer_field(index)),
        score_field=lambda index, objective: _score_field(found, mapping, index, objective),
        columns=(*mapping.sources, *named),
        bookkeeping=layout.bookkeeping if layout else (),
        targets=TARGETS,
    )


def _answers_field(found: Format, mapping: RowMapping) -> str:
    return ", ".join(mapping.source(name) for name in found.answers_field.split(", "))


def _score_field(found: Format, mapping: RowMapping, index: int | str, objective: str) -> str:
    if mapping.read.winner is not None:
        return mapping.read.winner.text
    for target in ("scores", "ranks"):
        if target in mapping.read.several:
            return mapping.source(target)
    return found.score_field(index, objective)


def _refuse_idle(mapping: RowMapping, found: Format) -> None:
    """Raise ConfigError for a key of data.columns that the format would not read."""
    known = {*(found.columns or ()), "prefix"}
    if "responses" in known:
        known |= {"answers", "answer", "winner"}
    for name in mapping.given:
        if name not in known:
            raise ConfigError(
                f"{KEY}.{name} does nothing: the records are read as {found.name}, which has "
                f"{', '.join(found.columns or ())}\n"
                "  remedy: leave it out, or name the format by data.format"
            )


def _note(layout: Layout | None, found: Format) -> str:
    notes = []
    if layout is not None:
        used = [
            f"{name}={value}"
            for name, value in layout.columns.items()
            if not isinstance(value, bool)
        ]
        columns = f": {' '.join(used)}" if used else ""
        notes.append(f"layout {layout.name} ({layout.example}){columns}")
    if found is HH:
        notes.append(HH_NOTE)
    if found is IMPLICIT:
        notes.append(IMPLICIT_NOTE)
    return "; ".join(notes)
