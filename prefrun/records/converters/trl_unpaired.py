"""TRL's unpaired preference format: prompt, completion, and whether it is good.

Source: TRL's documentation, "Dataset formats and types".
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from prefrun.errors import DataError
from prefrun.records.converters.chat import write_answer, write_prompt
from prefrun.records.converters.demonstrations import KEYS, from_demonstration
from prefrun.records.converters.fields import as_label, others, required
from prefrun.records.format import Format
from prefrun.records.place import Row
from prefrun.records.tree import OVERALL, PreferenceTree


def from_unpaired(row: Row, id: str) -> PreferenceTree:
    """Return a tree with one answer, whose overall score is 1 (good) or 0 (bad).

    As in a demonstration, the answer may be the last one of 'messages'.
    """
    tree = from_demonstration(row, id)
    score = as_label(required(row, "label"), "label")
    branch = replace(tree.branches[0], scores={OVERALL: score}, rank=None)
    return replace(tree, branches=(branch,), metadata=others(tree.metadata, "label"))


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
        **({"tools": json.loads(tree.tools)} if tree.tools else {}),
        "prompt": write_prompt(tree.prompt),
        "completion": write_answer(tree.branches[0], chat),
        "label": scores[0] == 1,
    }


UNPAIRED = Format(
    "unpaired",
    from_unpaired,
    min_answers=1,
    is_ranked=False,
    answers_field="completion",
    answer_field=lambda index: "completion",
    columns=(*KEYS, "label"),
)
