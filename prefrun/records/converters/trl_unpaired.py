"""TRL's unpaired preference format: prompt, completion, and whether it is good.

Source: TRL's documentation, "Dataset formats and types".
"""

from __future__ import annotations

from typing import Any

from prefrun.errors import DataError
from prefrun.records.converters.chat import (
    is_chat,
    read_answer,
    read_prompt,
    write_answer,
    write_prompt,
)
from prefrun.records.converters.fields import kind_of, others, required
from prefrun.records.format import Format
from prefrun.records.place import Row
from prefrun.records.tree import OVERALL, Branch, PreferenceTree, Step


def from_unpaired(row: Row, id: str) -> PreferenceTree:
    """Return a tree with one answer, whose overall score is 1 (good) or 0 (bad)."""
    prompt, completion = required(row, "prompt"), required(row, "completion")
    label = required(row, "label")
    if not isinstance(label, bool):
        problem = f"is {kind_of(label)}, not true or false"
        raise DataError(problem, field="label", remedy="write true or false")
    text = read_answer(completion, "completion", is_chat(prompt))
    branch = Branch((Step(text),), {OVERALL: float(label)})
    return PreferenceTree(
        id,
        read_prompt(prompt, "prompt"),
        (branch,),
        metadata=others(row, "prompt", "completion", "label"),
    )


def to_unpaired(tree: PreferenceTree) -> dict[str, Any]:
    """Return the row of a tree with one answer that is good (overall 1) or bad (overall 0).

    The format cannot hold: more answers, other scores (DataError); ranks, source, step bounds,
    weights, the annotator.
    """
    scores = [branch.scores.get(OVERALL) for branch in tree.branches]
    if len(scores) != 1 or scores[0] not in (0, 1):
        raise DataError(
            "an unpaired record holds one answer, with the overall score 0 or 1",
            record=tree.id,
            field="branches",
            remedy="write it in a list format",
        )
    chat = not isinstance(tree.prompt, str)
    return {
        **tree.metadata,
        "prompt": write_prompt(tree.prompt),
        "completion": write_answer(tree.branches[0].text, chat),
        "label": scores[0] == 1,
    }


UNPAIRED = Format(
    "unpaired",
    from_unpaired,
    min_answers=1,
    is_ranked=False,
    answers_field="completion",
    answer_field=lambda index: "completion",
)
