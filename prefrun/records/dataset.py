"""From rows to the training and held-out records of a data source: the one way in."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from prefrun.errors import DataError
from prefrun.records.checking import usable_tree
from prefrun.records.config import FileDataConfig, OnBadRecord
from prefrun.records.converters.step_trees import fields_of
from prefrun.records.format import Format
from prefrun.records.limits import out_of_memory
from prefrun.records.place import Place, ReadRow, Row
from prefrun.records.split import DataSplit, ReadCounts
from prefrun.records.tree import OVERALL, PreferenceTree
from prefrun.records.unused import ColumnCheck
from prefrun.reward import Reward

SKIP = "leave all such records out with data.on_bad_record=skip"


def build_split(
    name: str,
    rows: Iterable[ReadRow],
    record_format: Format,
    config: FileDataConfig,
    *,
    held_out: Iterable[ReadRow] | None = None,
    reward: Reward | None = None,
    note: str = "",
) -> DataSplit:
    """Convert, check, limit and split ROWS, such as `read_rows(config.path)`.

    HELD_OUT are test rows of their own; without them a part of ROWS is held out (`hold_out`).
    Raises DataError for the first bad record, or, where these are skipped, if too few are left.
    """
    counts = ReadCounts()
    train = _usable_trees(rows, record_format, config, counts)
    if held_out is None:
        train, test = hold_out(train, config.test_fraction, config.path)
    else:
        test = _usable_trees(held_out, record_format, config, counts)
        note = "; ".join(filter(None, [note, _overlap(train, test)]))
    return DataSplit(
        name=name,
        train=train,
        test=test,
        fingerprint=_fingerprint(train, test, config.objective),
        counts=counts,
        objective=config.objective,
        reward=reward,
        note=note,
    )


def generated_split(
    name: str,
    train: Sequence[PreferenceTree],
    test: Sequence[PreferenceTree],
    reward: Reward | None = None,
    note: str = "",
) -> DataSplit:
    """Return the split of records that a program made, all of which are used as they are.

    NOTE: what the user must see; "" = that they are generated, and how many.
    """
    count = len(train) + len(test)
    return DataSplit(
        name=name,
        train=train,
        test=test,
        fingerprint=_fingerprint(train, test, OVERALL),
        counts=ReadCounts(read=count, used=count),
        reward=reward,
        note=note or f"Generated data: {len(train)} training and {len(test)} held-out records",
    )


def number_rows(source: str, rows: Iterable[Row]) -> Iterator[ReadRow]:
    """Give rows that come from no file their places in SOURCE, counted from 1."""
    for number, row in enumerate(rows, 1):
        yield Place(source, number), row


def hold_out(
    trees: Sequence[PreferenceTree], fraction: float, file: str | None = None
) -> tuple[list[PreferenceTree], list[PreferenceTree]]:
    """Split TREES into training and held-out records; both keep their order.

    Prompts are ordered by the SHA-256 of their content and the first ones are held out, with all
    their records, until FRACTION of the records (at least one) is reached. So the split depends
    on no seed and on no order, and no held-out prompt is trained on. A FRACTION of 1 is all.
    Raises DataError, naming FILE, unless there are two different prompts.
    """
    if fraction == 1:
        return [], list(trees)
    digests = [_digest(_plain_prompt(tree)) for tree in trees]
    sizes = sorted(Counter(digests).items())
    if len(sizes) < 2:
        raise DataError(
            f"{len(trees)} usable record(s) with {len(sizes)} different prompt(s): "
            "some must be held out for evaluation",
            file=file,
            remedy="give records with at least two different prompts",
        )
    wanted, count = max(1, round(len(trees) * fraction)), 0
    chosen: set[str] = set()
    for digest, size in sizes[:-1]:  # the last prompt always stays for training
        if count >= wanted:
            break
        chosen.add(digest)
        count += size
    pairs = list(zip(trees, digests, strict=True))
    train = [tree for tree, digest in pairs if digest not in chosen]
    return train, [tree for tree, digest in pairs if digest in chosen]


def _usable_trees(
    rows: Iterable[ReadRow], record_format: Format, config: FileDataConfig, counts: ReadCounts
) -> list[PreferenceTree]:
    check = ColumnCheck(record_format, config.ignore_columns)
    trees = _convert(check.checked(rows), record_format, config, counts)
    try:
        found = list(islice(trees, config.max_records))
    except MemoryError as error:
        raise out_of_memory(config.path) from error
    if not found:
        first = f": {counts.problems[0]}" if counts.problems else ""
        raise DataError(
            f"none of {counts.read} record(s) can be used{first}",
            file=config.path,
            remedy="check the format of the data",
        )
    return found


def _convert(
    rows: Iterable[ReadRow], record_format: Format, config: FileDataConfig, counts: ReadCounts
) -> Iterator[PreferenceTree]:
    for place, row in rows:
        counts.read += 1
        try:
            if isinstance(row, DataError):
                raise row
            tree = usable_tree(row, place, record_format, config)
        except DataError as error:
            if config.on_bad_record is OnBadRecord.error:
                remedy = f"{error.remedy or 'correct or remove the record'}, or {SKIP}"
                raise place.error(error.problem, field=error.field, remedy=remedy) from error
            counts.skipped += 1
            counts.problems.append(str(place.error(error.problem, field=error.field)))
        else:
            counts.used += 1
            yield tree


def _overlap(train: Sequence[PreferenceTree], test: Sequence[PreferenceTree]) -> str:
    """Say how many of the TEST records have a prompt that is trained on; '' for none."""
    known = {_digest(_plain_prompt(tree)) for tree in train}
    shared = [tree.id for tree in test if _digest(_plain_prompt(tree)) in known]
    if not shared:
        return ""
    return (
        f"{len(shared)} of {len(test)} held-out records have a prompt that is trained on, "
        f"such as {shared[0]}"
    )


def _fingerprint(
    train: Sequence[PreferenceTree], test: Sequence[PreferenceTree], objective: str
) -> str:
    """Digest of everything a run sees of the records; their ids, which name files, are no part."""
    digest = hashlib.sha256(_digest(objective).encode())
    for part in (train, test):
        for tree in part:
            digest.update(_digest(fields_of(tree)).encode())
        digest.update(b"|")
    return digest.hexdigest()


def _plain_prompt(tree: PreferenceTree) -> Any:
    if isinstance(tree.prompt, str):
        return tree.prompt
    plain = [[message.role, message.content] for message in tree.prompt]
    calls = [message.tool_calls for message in tree.prompt]
    return [plain, calls] if any(calls) else plain


def _digest(value: Any) -> str:
    """Hex SHA-256 of VALUE as JSON; dates and the like in metadata count as their text."""
    text = json.dumps(value, sort_keys=True, default=_in_words)
    return hashlib.sha256(text.encode()).hexdigest()


def _in_words(value: Any) -> str:
    """VALUE, of metadata, as text; an array, whose text would leave numbers out, as a digest."""
    if not hasattr(value, "__array_interface__") or not value.shape:
        return str(value)
    digest = hashlib.sha256(value.tobytes()).hexdigest()
    return f"array {value.dtype.str} {value.shape} {digest}"
