"""Decides whether one record can be used, and says in the words of its format why not."""

from __future__ import annotations

import re
import traceback

from prefrun.errors import DataError, PrefrunError
from prefrun.records.config import FileDataConfig
from prefrun.records.format import Format
from prefrun.records.place import Place, Row
from prefrun.records.tree import PreferenceTree

_BRANCH = re.compile(r"branches\[(\d+)\]")


def usable_tree(
    row: Row, place: Place, record_format: Format, config: FileDataConfig
) -> PreferenceTree:
    """Convert and check ROW. Raises DataError with file, line, field and remedy."""
    try:
        tree = _converted(row, place, record_format)
        _check_lengths(tree, record_format, config.max_chars)
        _check_tree(tree, record_format)
        if record_format.is_ranked:
            _check_preference(tree, record_format, config.objective)
    except DataError as error:
        raise place.error(error.problem, field=error.field, remedy=error.remedy) from error
    return tree


def _converted(row: Row, place: Place, record_format: Format) -> PreferenceTree:
    """Call the format's own code. What it raises by mistake is a fault of this one record, too."""
    try:
        return record_format.read(row, place.id)
    except (PrefrunError, MemoryError):
        raise
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        raise DataError(
            f"{frame.filename}, line {frame.lineno}, which reads the format {record_format.name}, "
            f"raised {type(error).__name__}: {error}",
            remedy="correct or remove the record, or let the plugin raise a DataError that names "
            "the field",
        ) from error


def _check_lengths(tree: PreferenceTree, record_format: Format, max_chars: int) -> None:
    for index, branch in enumerate(tree.branches):
        length = len(branch.text)
        if length > max_chars:
            raise DataError(
                f"the answer has {length} characters, more than data.max_chars={max_chars}",
                field=record_format.answer_field(index),
                remedy="shorten it, raise data.max_chars",
            )


def _check_tree(tree: PreferenceTree, record_format: Format) -> None:
    """Let the tree validate itself, and put its complaint in the words of the format."""
    try:
        tree.validate(record_format.min_answers)
    except DataError as error:
        names = {"prompt": record_format.prompt_field, "branches": record_format.answers_field}
        field = error.field or ""
        branch = _BRANCH.fullmatch(field)
        if branch:
            field = record_format.answer_field(int(branch[1]))
        raise DataError(
            _BRANCH.sub(lambda found: record_format.answer_field(int(found[1])), error.problem),
            field=names.get(field, field),
            remedy=error.remedy,
        ) from error


def _check_preference(tree: PreferenceTree, record_format: Format, objective: str) -> None:
    scored = all(objective in branch.scores for branch in tree.branches)
    ranked = all(branch.rank is not None for branch in tree.branches)
    if not scored and not ranked:
        raise _no_score(tree, record_format, objective)
    labels = tree.labels(objective)
    if len(set(labels)) == 1:
        tie = f"score {labels[0]:g}" if scored else "rank"
        raise DataError(
            f"all {len(labels)} answers have the same {tie}, so none is preferred",
            field=record_format.score_field("*", objective),
        )


def _no_score(tree: PreferenceTree, record_format: Format, objective: str) -> DataError:
    names = [set(branch.scores) for branch in tree.branches]
    first = next(index for index, known in enumerate(names) if objective not in known)
    others = ", ".join(sorted(set.intersection(*names)))
    return DataError(
        f"missing: the answer has no score '{objective}'",
        field=record_format.score_field(first, objective),
        remedy=f"set data.objective to one of {others}" if others else "give scores or ranks",
    )
