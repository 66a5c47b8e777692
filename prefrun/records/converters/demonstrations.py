"""Demonstrations: a prompt and one answer to learn, or a conversation that ends with it.

Source: TRL's documentation, "Dataset formats and types": prompt-completion and language modeling.
"""

from __future__ import annotations

from typing import Any

from prefrun.errors import DataError
from prefrun.records.converters.exchange import COLUMNS, read_exchange
from prefrun.records.converters.fields import others, required
from prefrun.records.converters.messages import read_messages, roles_of
from prefrun.records.format import Format
from prefrun.records.place import Row
from prefrun.records.tree import Branch, PreferenceTree, Step

KEYS = (*COLUMNS, "messages", "completion")


def from_demonstration(row: Row, id: str) -> PreferenceTree:
    """Return a tree with one answer of rank 1: the completion, or the last of the messages.

    Raises DataError naming the field.
    """
    value, field = row.get("completion"), "completion"
    if value is None:
        field = "messages"
        value = _conversation(required(row, field))
    exchange = read_exchange(row, [(field, value)])
    ((text, calls),) = exchange.answers
    branch = Branch((Step(text),), rank=1, tool_calls=calls)
    rest = others(row, *KEYS)
    return PreferenceTree(id, exchange.prompt, (branch,), metadata=rest, tools=exchange.tools)


DEMONSTRATION = Format(
    "demonstration",
    from_demonstration,
    min_answers=1,
    is_ranked=False,
    prompt_field="prompt or messages",
    answers_field="completion or messages",
    answer_field=lambda index: "completion or messages",
    columns=KEYS,
)


def _conversation(value: Any) -> Any:
    """Return VALUE if it is a conversation of a question and an answer at least."""
    messages = read_messages(value, "messages")
    if len(messages) < 2 or messages[-1].role != "assistant":
        raise DataError(
            f"holds {roles_of(messages)}, and no answer of the assistant at the end",
            field="messages",
            remedy="end the conversation with an assistant message",
        )
    return value
