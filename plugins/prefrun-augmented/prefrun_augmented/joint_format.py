"""Pairs of instruction and answer in the layouts of DOVE's files (arXiv 2404.00530)."""

from __future__ import annotations

from functools import partial

from prefrun.errors import DataError
from prefrun.records.converters.fields import as_text, others, required
from prefrun.records.format import Format
from prefrun.records.place import Row
from prefrun.records.tree import Branch, PreferenceTree, Step

FIELDS = ("i_chosen", "r_chosen", "i_reject", "r_reject")
SIDES = ("instruction", "instruction_0", "response_0", "instruction_1", "response_1")
FIRST, SECOND, EQUAL = 0, 1, 2


def joint_pairs(template: str) -> Format:
    """Return the format of pairs whose instructions are put into TEMPLATE."""
    return Format(
        "joint_pairs",
        partial(from_joint, template=template),
        prompt_field="i_chosen or instruction_0",
        answers_field="r_chosen, r_reject or response_0, response_1",
        answer_field=lambda index: ("r_chosen", "r_reject")[index],
        columns=(*FIELDS, *SIDES, "feedback"),
    )


def from_joint(row: Row, id: str, template: str = "{instruction}") -> PreferenceTree:
    """Return the pair of one row. Raises DataError naming the field.

    Either {i_chosen, r_chosen, i_reject, r_reject}, or two annotated sides: {instruction_0,
    response_0, instruction_1, response_1, feedback}, or {instruction, response_0, response_1,
    feedback}, with feedback 0 (the first is better), 1 (the second) or 2 (equal, which is no pair).
    """
    if "i_chosen" in row:
        texts = [_text(row, field) for field in FIELDS]
        return _tree(id, template, (texts[0], texts[1]), (texts[2], texts[3]), others(row, *FIELDS))
    names = (
        ("instruction", "instruction")
        if "instruction" in row
        else ("instruction_0", "instruction_1")
    )
    answers = ("response_0", "response_1")
    sides = [
        (_text(row, name), _text(row, answer)) for name, answer in zip(names, answers, strict=True)
    ]
    feedback = required(row, "feedback")
    if feedback not in (FIRST, SECOND):
        kind = "both sides are equally good" if feedback == EQUAL else f"is {feedback!r}"
        raise DataError(kind, field="feedback", remedy="0: the first is better, 1: the second")
    if feedback == SECOND:
        sides.reverse()
    return _tree(id, template, *sides, others(row, *names, *answers, "feedback"))


def _text(row: Row, field: str) -> str:
    return as_text(required(row, field), field)


def _tree(
    id: str,
    template: str,
    better: tuple[str, str],
    worse: tuple[str, str],
    metadata: dict[str, object],
) -> PreferenceTree:
    prompts = [template.replace("{instruction}", side[0]) for side in (better, worse)]
    own = None if prompts[0] == prompts[1] else prompts[1]
    branches = (Branch((Step(better[1]),), rank=1), Branch((Step(worse[1]),), rank=2, prompt=own))
    return PreferenceTree(id, prompts[0], branches, metadata=metadata)
