"""TRL's stepwise supervision format: a prompt, the steps of one answer, and whether each is right.

Source: TRL's documentation, "Dataset formats and types"; PRMTrainer's default step separator.
"""

from __future__ import annotations

from typing import Any

from prefrun.errors import DataError
from prefrun.records.converters.chat import write_prompt
from prefrun.records.converters.exchange import COLUMNS, read_exchange
from prefrun.records.converters.fields import as_label, as_list, as_text, others, required
from prefrun.records.format import Format
from prefrun.records.place import Row
from prefrun.records.tree import Branch, PreferenceTree, Step

SEPARATOR = "\n"
"""What TRL puts between two steps."""


def from_stepwise(row: Row, id: str) -> PreferenceTree:
    """Return a tree with one answer, whose steps have the scores 1 (right) or 0 (wrong).

    Every step but the last ends with the separator. The answer has rank 1 and no score: how good
    the whole is, the format does not say.
    """
    required(row, "prompt")
    exchange = read_exchange(row, ())
    texts = as_list(required(row, "completions"), "completions")
    labels = as_list(required(row, "labels"), "labels")
    if len(texts) != len(labels) or not texts:
        problem = f"{len(labels)} labels for {len(texts)} steps"
        raise DataError(problem, field="labels", remedy="give one label per step, at least one")
    last = len(texts) - 1
    steps = tuple(
        Step(
            as_text(text, f"completions[{index}]") + SEPARATOR * (index < last),
            as_label(label, f"labels[{index}]"),
        )
        for index, (text, label) in enumerate(zip(texts, labels, strict=True))
    )
    rest = others(row, *COLUMNS, "completions", "labels")
    branches = (Branch(steps, rank=1),)
    return PreferenceTree(id, exchange.prompt, branches, metadata=rest, tools=exchange.tools)


def to_stepwise(tree: PreferenceTree) -> dict[str, Any]:
    """Return the row of a tree with one answer whose steps are right (1) or wrong (0).

    The format cannot hold: more answers, other step scores, steps not parted by the separator
    (DataError); scores of the whole, source, weights, the annotator.
    """
    steps = tree.branches[0].steps if len(tree.branches) == 1 else ()
    ends = [step.text.endswith(SEPARATOR) for step in steps[:-1]]
    if not steps or not all(ends) or any(step.score not in (0, 1) for step in steps):
        raise DataError(
            "a stepwise record holds one answer, its steps parted by line ends and scored 0 or 1",
            record=tree.id,
            field="branches",
            remedy="write it in the step tree format",
        )
    texts = [step.text.removesuffix(SEPARATOR) for step in steps[:-1]] + [steps[-1].text]
    return {
        **tree.metadata,
        "prompt": write_prompt(tree.prompt),
        "completions": texts,
        "labels": [step.score == 1 for step in steps],
    }


STEPWISE = Format(
    "stepwise",
    from_stepwise,
    min_answers=1,
    is_ranked=False,
    answers_field="completions",
    answer_field=lambda index: "completions",
    columns=(*COLUMNS, "completions", "labels"),
)
