"""hh-rlhf's text pairs: 'chosen' and 'rejected' each hold a whole dialogue as one string.

Source: Bai et al. 2022, arXiv 2204.05862, and the layout of Anthropic/hh-rlhf on the hub.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefrun.errors import DataError
from prefrun.records.converters.chat import as_messages
from prefrun.records.converters.exchange import TURN, read_dialogue
from prefrun.records.converters.fields import as_text, others, required
from prefrun.records.converters.pairs import chosen_and_rejected, pair_of
from prefrun.records.format import Format
from prefrun.records.place import Row
from prefrun.records.tree import Message, PreferenceTree

NAMES = {"user": "Human", "assistant": "Assistant"}
ANSWERS = ("chosen", "rejected")


def from_hh(row: Row, id: str) -> PreferenceTree:
    """Return the tree of one pair: the shared turns are the prompt, the last ones the answers.

    Raises DataError where the dialogues differ before their last turns, or do not end with the
    assistant.
    """
    chosen, rejected = (
        _read_dialogue(as_text(required(row, field), field), field) for field in ANSWERS
    )
    if chosen[:-1] != rejected[:-1]:
        raise DataError(
            f"differs from 'chosen' at turn {1 + _equal_turns(chosen, rejected)} of "
            f"{len(rejected)} ('chosen' has {len(chosen)}): only the last turn may differ",
            field="rejected",
            remedy="cut both dialogues after the first answer that differs",
        )
    return PreferenceTree(
        id,
        chosen[:-1],
        pair_of(chosen[-1].content, rejected[-1].content),
        metadata=others(row, *ANSWERS),
    )


def to_hh(tree: PreferenceTree) -> dict[str, Any]:
    """Return the two dialogues of a tree with two answers, the better one as 'chosen'.

    The format cannot hold: more answers, a tie, a system message, text with a line that begins a
    turn ('Human:' or 'Assistant:' after a blank line) (DataError for these); scores, sources,
    step bounds, weights, the annotator. A text prompt is written as a human turn.
    """
    branches = chosen_and_rejected(tree)
    prompt = "".join(_write_turn(message, tree.id) for message in as_messages(tree.prompt))
    answers = {
        field: prompt + _write_turn(Message("assistant", branch.text), tree.id)
        for field, branch in zip(ANSWERS, branches, strict=True)
    }
    return {**tree.metadata, **answers}


HH = Format(
    "hh",
    from_hh,
    prompt_field="chosen",
    answers_field="chosen, rejected",
    answer_field=lambda index: ANSWERS[index],
    score_field=lambda index, objective: "chosen, rejected",
    columns=ANSWERS,
)


def _read_dialogue(text: str, field: str) -> tuple[Message, ...]:
    turns = read_dialogue(text, field)
    if turns[-1].role != "assistant":
        remedy = "remove the last human turn"
        raise DataError("does not end with an assistant turn", field=field, remedy=remedy)
    return turns


def _equal_turns(one: Sequence[Message], two: Sequence[Message]) -> int:
    pairs = enumerate(zip(one, two, strict=False))
    return next((n for n, (left, right) in pairs if left != right), min(len(one), len(two)))


def _write_turn(message: Message, id: str) -> str:
    if message.role not in NAMES:
        problem = f"hh-rlhf text holds no {message.role} message"
        raise DataError(problem, record=id, field="prompt", remedy="drop it")
    if TURN.search(message.content):
        problem = "the text holds what begins a turn in hh-rlhf text"
        raise DataError(problem, record=id, remedy="write it in a TRL format")
    return f"\n\n{NAMES[message.role]}: {message.content}"
