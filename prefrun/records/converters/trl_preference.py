"""TRL's preference format: prompt (or none), chosen, rejected; text or messages.

Source: TRL's documentation, "Dataset formats and types", and its `extract_prompt` for the
implicit prompt.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from prefrun.errors import DataError
from prefrun.records.converters.chat import write_answer, write_prompt
from prefrun.records.converters.exchange import COLUMNS, read_exchange
from prefrun.records.converters.fields import (
    VOTES,
    as_text,
    has_votes,
    others,
    read_votes,
    required,
)
from prefrun.records.converters.pairs import chosen_and_rejected, pair_of, write_votes
from prefrun.records.format import Format
from prefrun.records.place import Row
from prefrun.records.tree import PreferenceTree

ANSWERS = ("chosen", "rejected")


def from_preference(row: Row, id: str) -> PreferenceTree:
    """Return the tree of one pair: a prompt and two answers, or two dialogues that share turns.

    'votes' are numbers of raters, [for the chosen one, for the other].

    As in TRL, a text 'prompt' beside dialogues is only a title: it must stand in one of their
    messages, and stays in the metadata.
    """
    exchange = read_exchange(row, [(field, required(row, field)) for field in ANSWERS])
    (chosen, calls), (rejected, other_calls) = exchange.answers
    is_title = isinstance(row.get("prompt"), str) and not isinstance(exchange.prompt, str)
    is_title = is_title and all(_is_dialogue(row[field]) for field in ANSWERS)
    return PreferenceTree(
        id,
        exchange.prompt,
        pair_of(chosen, rejected, (calls, other_calls), read_votes(row, len(ANSWERS))),
        metadata=others(row, *COLUMNS[is_title:], *ANSWERS, *[VOTES] * has_votes(row)),
        tools=exchange.tools,
    )


def from_implicit(row: Row, id: str) -> PreferenceTree:
    """Return the tree of two texts whose longest common beginning is the prompt.

    A space at its end belongs to the answers, as in TRL.
    """
    chosen, rejected = (as_text(required(row, field), field) for field in ANSWERS)
    pairs = enumerate(zip(chosen, rejected, strict=False))
    shorter = min(len(chosen), len(rejected))
    length = next((number for number, (one, two) in pairs if one != two), shorter)
    length -= chosen[:length].endswith(" ")
    if not length:
        problem = "the answers begin with no text in common, so there is no prompt"
        raise DataError(problem, field="chosen, rejected", remedy="give the prompt")
    votes = read_votes(row, len(ANSWERS))
    answers = pair_of(chosen[length:], rejected[length:], votes=votes)
    rest = others(row, *ANSWERS, *[VOTES] * has_votes(row))
    return PreferenceTree(id, chosen[:length], answers, metadata=rest)


def to_preference(tree: PreferenceTree, implicit: bool = False) -> dict[str, Any]:
    """Return the pair of a tree with two answers; IMPLICIT puts the prompt into both answers.

    The format cannot hold: more answers or a tie (DataError); scores, sources, step bounds,
    weights, the annotator. Read back, an implicit prompt can grow by what both answers begin with.
    """
    chat = not isinstance(tree.prompt, str)
    prompt: Any = write_prompt(tree.prompt)
    pair = chosen_and_rejected(tree)
    chosen, rejected = (write_answer(branch, chat) for branch in pair)
    rest = {**tree.metadata, **({"tools": json.loads(tree.tools)} if tree.tools else {})}
    rest |= write_votes(pair)
    if implicit:
        return {**rest, "chosen": prompt + chosen, "rejected": prompt + rejected}
    return {**rest, "prompt": prompt, "chosen": chosen, "rejected": rejected}


def _is_dialogue(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) > 1


PREFERENCE = Format(
    "preference",
    from_preference,
    answers_field="chosen, rejected",
    answer_field=lambda index: ANSWERS[index],
    score_field=lambda index, objective: "chosen, rejected",
    columns=(*COLUMNS, *ANSWERS, VOTES),
)
IMPLICIT = replace(
    PREFERENCE, name="implicit_prompt", read=from_implicit, columns=(*ANSWERS, VOTES)
)
