"""TRL's preference format: prompt (or none), chosen, rejected; text or messages.

Source: TRL's documentation, "Dataset formats and types", and its `extract_prompt` for the
implicit prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefrun.records.converters.chat import (
    is_chat,
    read_answer,
    read_prompt,
    write_answer,
    write_prompt,
)
from prefrun.records.converters.fields import as_list, as_text, others, required
from prefrun.records.converters.pairs import chosen_and_rejected, pair_of
from prefrun.records.format import Format
from prefrun.records.place import Row
from prefrun.records.tree import PreferenceTree

ANSWERS = ("chosen", "rejected")


def from_preference(row: Row, id: str) -> PreferenceTree:
    """Return the tree of one pair, with an explicit or an implicit prompt.

    An implicit prompt is the longest common beginning of both answers: of whole messages, or of
    characters, where a space at its end belongs to the answers, as in TRL. Also as in TRL, a
    text 'prompt' beside answers that are messages is only a title: it stays in the metadata.
    """
    chosen, rejected = (required(row, field) for field in ANSWERS)
    chat = is_chat(chosen)
    if row.get("prompt") is not None and is_chat(row["prompt"]) == chat:
        prompt, rest = row["prompt"], others(row, "prompt", *ANSWERS)
    else:
        rest = others(row, *ANSWERS)
        check = as_list if chat else as_text
        chosen, rejected = check(chosen, "chosen"), check(rejected, "rejected")
        length = _shared(chosen, rejected)
        prompt, chosen, rejected = chosen[:length], chosen[length:], rejected[length:]
    answers = (
        read_answer(value, field, chat)
        for field, value in zip(ANSWERS, (chosen, rejected), strict=True)
    )
    return PreferenceTree(id, read_prompt(prompt, "prompt"), pair_of(*answers), metadata=rest)


def to_preference(tree: PreferenceTree, implicit: bool = False) -> dict[str, Any]:
    """Return the pair of a tree with two answers; IMPLICIT puts the prompt into both answers.

    The format cannot hold: more answers or a tie (DataError); scores, sources, step bounds,
    weights, the annotator. Read back, an implicit prompt can grow by what both answers begin with.
    """
    chat = not isinstance(tree.prompt, str)
    prompt: Any = write_prompt(tree.prompt)
    chosen, rejected = (write_answer(text, chat) for text in chosen_and_rejected(tree))
    if implicit:
        return {**tree.metadata, "chosen": prompt + chosen, "rejected": prompt + rejected}
    return {**tree.metadata, "prompt": prompt, "chosen": chosen, "rejected": rejected}


PREFERENCE = Format(
    "preference",
    from_preference,
    answers_field="chosen, rejected",
    answer_field=lambda index: ANSWERS[index],
    score_field=lambda index, objective: "chosen, rejected",
)


def _shared(chosen: Any, rejected: Any) -> int:
    """Return how many characters or messages are the prompt."""
    if isinstance(chosen, str):
        length = _equal_items(chosen, rejected)
        return length - 1 if chosen[:length].endswith(" ") else length
    # An answer is left on both sides even where the dialogues are equal.
    return min(_equal_items(chosen, rejected), len(chosen) - 1, len(rejected) - 1)


def _equal_items(one: Sequence[Any], two: Sequence[Any]) -> int:
    pairs = enumerate(zip(one, two, strict=False))
    return next((n for n, (left, right) in pairs if left != right), min(len(one), len(two)))
