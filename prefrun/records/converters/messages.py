"""Chat messages in the forms that public data hold them, in both directions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from prefrun.errors import DataError
from prefrun.records.converters.fields import as_list, as_object, as_text, required
from prefrun.records.tree import Message
from prefrun.records.unused import is_bookkeeping

ROLES = ("system", "user", "assistant", "tool")
SPEAKERS = {"human": "user", "gpt": "assistant", "chatgpt": "assistant", "bot": "assistant"}
"""What 'from' says where ShareGPT's form has names of its own."""
TOOL_KEYS = ("name", "tool_call_id")


def is_chat(value: Any) -> bool:
    """Return whether VALUE is meant as messages rather than as text."""
    return isinstance(value, list | tuple | Mapping)


def read_messages(value: Any, field: str) -> tuple[Message, ...]:
    """Return a list of {role, content} or {from, value}, or one of these, as messages.

    Raises DataError for all else.
    """
    if isinstance(value, Mapping):
        return (_read_message(value, field),)
    items = as_list(value, field)
    return tuple(_read_message(item, f"{field}[{index}]") for index, item in enumerate(items))


def write_messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return messages as a list of {role, content}, with tool calls where there are some."""
    return [write_message(message) for message in messages]


def write_message(message: Message) -> dict[str, Any]:
    """Return a message as chat templates take it."""
    written: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        written["tool_calls"] = json.loads(message.tool_calls)
    for key in TOOL_KEYS:
        if getattr(message, key):
            written[key] = getattr(message, key)
    return written


def read_json_list(value: Any, field: str) -> str:
    """Return a list of objects, or JSON text of one, as JSON text; '' for none. Raises DataError.

    Keys without a value, which saved data sets fill in, are left out.
    """
    if isinstance(value, str) and value.strip():
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            problem = f"is text, but no JSON: {error.msg} at character {error.pos}"
            raise DataError(problem, field=field, remedy="give a list of objects") from error
    if not value or (isinstance(value, str) and not value.strip()):
        return ""
    items = [as_object(item, f"{field}[{n}]") for n, item in enumerate(as_list(value, field))]
    return json.dumps([_without_nulls(item) for item in items], ensure_ascii=False)


def _read_message(value: Any, field: str) -> Message:
    row = as_object(value, field)
    said, speaker = (
        ("value", "from") if "from" in row and "role" not in row else ("content", "role")
    )
    role = as_text(required(row, speaker, f"{field}.{speaker}"), f"{field}.{speaker}")
    role = SPEAKERS.get(role, role) if speaker == "from" else role
    if role not in ROLES:
        raise DataError(
            f"the role {role!r:.40} is not supported",
            field=f"{field}.{speaker}",
            remedy=f"roles are {', '.join(ROLES)}",
        )
    calls = read_json_list(row.get("tool_calls"), f"{field}.tool_calls")
    if calls and role != "assistant":
        raise DataError(f"a {role} message calls no tool", field=f"{field}.tool_calls")
    taken = (speaker, said, "tool_calls", *(TOOL_KEYS if role == "tool" else ()))
    for key, extra in row.items():  # saved data sets fill absent keys with null
        if key not in taken and extra and not is_bookkeeping(str(key), extra):
            raise DataError(
                "is not supported in a message",
                field=f"{field}.{key}",
                remedy="keep only role, content and tool_calls",
            )
    if calls and row.get(said) is None:
        content = ""
    else:
        content = _read_content(required(row, said, f"{field}.{said}"), f"{field}.{said}")
    names = {
        key: as_text(row[key], f"{field}.{key}")
        for key in TOOL_KEYS
        if role == "tool" and row.get(key)
    }
    return Message(role, content, calls, **names)


def _read_content(value: Any, field: str) -> str:
    """Return text, also that of a list of parts {type: text, text}. Raises DataError."""
    if not isinstance(value, list | tuple):
        return as_text(value, field)
    texts = []
    for number, item in enumerate(value):
        part = as_object(item, f"{field}[{number}]")
        kind = part.get("type", "text")
        if kind != "text":
            raise DataError(
                f"holds a part of type {kind!r:.40}, and only text can be read",
                field=f"{field}[{number}]",
                remedy="remove the record, or keep only the parts of type 'text'",
            )
        texts.append(as_text(required(part, "text", f"{field}[{number}].text"), field))
    return "".join(texts)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list | tuple) else value


def with_answer(messages: Sequence[Message], text: str, calls: str = "") -> list[dict[str, Any]]:
    """Return a chat and its answer as chat templates take them.

    An assistant message at the end of the chat is the beginning of the answer.
    """
    start = messages[-1].content if messages and messages[-1].role == "assistant" else None
    before = messages if start is None else messages[:-1]
    return write_messages([*before, Message("assistant", (start or "") + text, calls)])


def roles_of(messages: Sequence[Message]) -> str:
    """Return the roles of MESSAGES, for a complaint."""
    return ", ".join(message.role for message in messages) or "no message"
