"""From a row of a parallel corpus to the one record type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefrun.errors import DataError
from prefrun.records.format import Format
from prefrun.records.place import Row
from prefrun.records.tree import Branch, PreferenceTree, Step
from prefrun_simulpl.component_config import ParallelDataConfig

REFERENCE = "reference"
"""Metadata: the reference translation."""
DELAYS = ("chosen_delays", "rejected_delays")
"""Metadata and fields: per target word the source words read, where a record has them."""


def pair_format(config: ParallelDataConfig) -> Format:
    """Return the record format with the field names of CONFIG."""
    answers = (config.chosen_field, config.rejected_field)
    return Format(
        name="parallel",
        read=lambda row, name: _to_tree(row, name, config),
        min_answers=1,
        is_ranked=False,
        prompt_field=config.source_field,
        answers_field=config.target_field,
        answer_field=lambda index: answers[index],
        columns=(config.source_field, config.target_field, *answers, *DELAYS),
    )


def reference_of(tree: PreferenceTree) -> str:
    """Return the reference translation. Raises DataError for a record of another data source."""
    reference = tree.metadata.get(REFERENCE)
    if not isinstance(reference, str):
        raise DataError(
            "the record has no reference translation",
            record=tree.id,
            remedy="use algo=simulpl and evaluator=simt with data=multi30k",
        )
    return reference


def _to_tree(row: Row, name: str, config: ParallelDataConfig) -> PreferenceTree:
    source = _text(row, config.source_field, "the source sentence")
    fields = (config.chosen_field, config.rejected_field)
    given = [field for field in fields if row.get(field) is not None]
    if len(given) == 1:
        (missing,) = set(fields) - {given[0]}
        raise DataError(
            f"missing, though '{given[0]}' is there", field=missing, remedy="give both or none"
        )
    if not given:
        reference = _text(row, config.target_field, "the reference translation")
        return _tree(name, source, (Branch((Step(reference),)),), {REFERENCE: reference})
    texts = [_text(row, field, "the translation") for field in fields]
    reference = texts[0]
    if row.get(config.target_field) is not None:
        reference = _text(row, config.target_field, "the reference translation")
    metadata: dict[str, Any] = {REFERENCE: reference}
    for field, text in zip(DELAYS, texts, strict=True):
        if row.get(field) is not None:
            metadata[field] = _delays(row[field], field, len(source.split()), len(text.split()))
    branches = tuple(Branch((Step(text),), rank=rank) for rank, text in enumerate(texts, 1))
    return _tree(name, source, branches, metadata)


def _tree(
    name: str, source: str, branches: tuple[Branch, ...], metadata: dict[str, Any]
) -> PreferenceTree:
    return PreferenceTree(id=name, prompt=source, branches=branches, metadata=metadata)


def _text(row: Row, field: str, what: str) -> str:
    value = row.get(field)
    if value is None:
        known = ", ".join(map(str, row))
        raise DataError(
            f"missing: {what}",
            field=field,
            remedy=f"the record has {known}: name its fields by data.source_field and the like",
        )
    if not isinstance(value, str):
        raise DataError(f"{type(value).__name__}, not a string", field=field)
    if not value.strip():
        raise DataError(f"{what} is empty", field=field)
    return " ".join(value.split())


def _delays(value: object, field: str, source: int, target: int) -> list[int]:
    """Check a schedule: one whole number in 1..SOURCE per target word, never falling."""
    remedy = f"give {target} whole numbers from 1 to {source}, none smaller than the one before"
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise DataError(f"{type(value).__name__}, not a list", field=field, remedy=remedy)
    numbers = [item for item in value if isinstance(item, int) and not isinstance(item, bool)]
    rising = all(
        0 < one <= other <= source for one, other in zip([1, *numbers], numbers, strict=False)
    )
    if len(numbers) != len(value) or len(numbers) != target or not rising:
        raise DataError(f"{list(value)} is no schedule", field=field, remedy=remedy)
    return numbers
