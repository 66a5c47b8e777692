"""Prompts and answers as text or as chat messages, in both directions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefrun.errors import DataError
from prefrun.records.converters.fields import as_list, as_object, as_text, kind_of, required
from prefrun.records.tree import Message, Prompt

ROLES = ("system", "user", "assistant")


def is_chat(value: Any) -> bool:
    """Return whether VALUE is meant as a list of messages rather than as text."""
    return isinstance(value, list | tuple)


def read_prompt(value: Any, field: str) -> Prompt:
    """Return text as it is and a list as messages. Raises DataError."""
    return read_messages(value, field) if is_chat(value) else as_text(value, field)


def read_messages(value: Any, field: str) -> tuple[Message, ...]:
    """Return a list of {role, content} as messages. Raises DataError for all else."""
    return tuple(
        _read_message(item, f"{field}[{index}]") for index, item in enumerate(as_list(value, field))
    )


def read_answer(value: Any, field: str, chat: bool) -> str:
    """Return an answer's text: text itself, or, where CHAT, a list of one assistant message."""
    if not chat:
        return as_text(value, field)
    if not is_chat(value):
        raise DataError(
            f"is {kind_of(value)}, but the prompt is a list of messages",
            field=field,
            remedy="write both as messages or both as text",
        )
    messages = read_messages(value, field)
    if len(messages) != 1 or messages[0].role != "assistant":
        roles = ", ".join(message.role for message in messages) or "no message"
        raise DataError(
            f"holds {roles}; one assistant message is supported",
            field=field,
            remedy="move the earlier messages into the prompt",
        )
    return messages[0].content


def as_messages(prompt: Prompt) -> tuple[Message, ...]:
    """Return PROMPT as a chat; text becomes one user message."""
    return (Message("user", prompt),) if isinstance(prompt, str) else prompt


def write_prompt(prompt: Prompt) -> str | list[dict[str, str]]:
    """Return text as it is and messages as a list of {role, content}."""
    return prompt if isinstance(prompt, str) else write_messages(prompt)


def write_messages(messages: Sequence[Message]) -> list[dict[str, str]]:
    """Return messages as a list of {role, content}."""
    return [{"role": message.role, "content": message.content} for message in messages]


def write_answer(text: str, chat: bool) -> str | list[dict[str, str]]:
    """Return an answer as text or, where CHAT, as a list of one assistant message."""
    return write_messages([Message("assistant", text)]) if chat else text


def _read_message(value: Any, field: str) -> Message:
    row = as_object(value, field)
    role = as_text(required(row, "role", f"{field}.role"), f"{field}.role")
    if role not in ROLES:
        raise DataError(
            f"the role {role!r:.40} is not supported",
            field=f"{field}.role",
            remedy=f"roles are {', '.join(ROLES)}",
        )
    for key, extra in row.items():
        if key not in ("role", "content") and extra:  # saved data sets fill absent keys with null
            raise DataError(
                "is not supported in a message",
                field=f"{field}.{key}",
                remedy="keep only role and content",
            )
    return Message(role, as_text(required(row, "content", f"{field}.content"), f"{field}.content"))
