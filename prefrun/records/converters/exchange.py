"""A prompt and the answers to it, in any mixture of text, messages and whole dialogues."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from prefrun.errors import DataError
from prefrun.records.converters.chat import as_messages, read_prompt
from prefrun.records.converters.fields import as_text
from prefrun.records.converters.messages import (
    is_chat,
    read_json_list,
    read_messages,
    roles_of,
)
from prefrun.records.place import Row
from prefrun.records.tree import Message, Prompt

COLUMNS = ("prompt", "system", "tools")
"""What every format with a prompt reads."""
PREFIX, DIALOGUE, CHAT = "prefix", "dialogue", "chat"
"""What only a mapping gives a row: the beginning of every answer; that the prompt is text with the
turns of 'Human:' and 'Assistant:'; that a text prompt is a user message."""

TURN = re.compile(r"\n\n(Human|Assistant):")
_SPEAKERS = {"Human": "user", "Assistant": "assistant"}
Answer = tuple[str, str]
"""Text and tool calls."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What stands before the answers, and these."""

    prompt: Prompt
    tools: str
    answers: tuple[Answer, ...]


def read_exchange(row: Row, answers: Sequence[tuple[str, Any]]) -> Exchange:
    """Return prompt, tools and ANSWERS (field and value each) of ROW.

    Text stays text; with a system message, tools, or messages anywhere, all becomes a chat. The
    turns that dialogues share are the prompt. Raises DataError naming the field.
    """
    read = [(field, _messages_of(value, field)) for field, value in answers]
    dialogues = [(field, turns) for field, turns in read if isinstance(turns, tuple)]
    given = _given_prompt(row)
    if not isinstance(given, tuple) and any(len(turns) > 1 for _, turns in dialogues):
        shared = _shared(dialogues)
        prompt: Prompt = shared
        if isinstance(given, str):
            _check_title(given, shared)
    elif given is None:
        raise _no_prompt(row)
    else:
        prompt = given
    if isinstance(prompt, tuple):
        read = [(f, t if isinstance(t, str) else _behind(t, prompt)) for f, t in read]
    tools = read_json_list(row.get("tools"), "tools")
    wants_chat = bool(tools or row.get(CHAT) or row.get("system") is not None)
    if dialogues or wants_chat:
        prompt = as_messages(prompt)
    prompt = _with_prefix(_with_system(prompt, row.get("system")), row.get(PREFIX))
    return Exchange(prompt, tools, tuple(_answer(turns, field) for field, turns in read))


def read_dialogue(text: str, field: str) -> tuple[Message, ...]:
    """Return hh-rlhf text, turns that begin with 'Human:' or 'Assistant:', as messages."""
    head, *parts = TURN.split(text if text.startswith("\n\n") else f"\n\n{text.lstrip()}")
    if head.strip() or not parts:
        raise DataError(
            "does not begin with a turn",
            field=field,
            remedy=r"write turns as '\n\nHuman: ...' and '\n\nAssistant: ...'",
        )
    return tuple(
        Message(_SPEAKERS[speaker], content.removeprefix(" "))
        for speaker, content in zip(parts[::2], parts[1::2], strict=True)
    )


def is_dialogue(text: Any) -> bool:
    """Return whether TEXT is hh-rlhf text."""
    return isinstance(text, str) and text.lstrip().startswith(("Human:", "Assistant:"))


def _messages_of(value: Any, field: str) -> str | tuple[Message, ...]:
    return read_messages(value, field) if is_chat(value) else as_text(value, field)


def _given_prompt(row: Row) -> Prompt | None:
    if row.get("prompt") is None:
        return None
    prompt = read_prompt(row["prompt"], "prompt")
    if not row.get(DIALOGUE) or not isinstance(prompt, str):
        return prompt
    turns = read_dialogue(prompt, "prompt")
    return turns[:-1] if turns[-1].role == "assistant" and not turns[-1].content.strip() else turns


def _shared(dialogues: Sequence[tuple[str, tuple[Message, ...]]]) -> tuple[Message, ...]:
    """Return the messages that all DIALOGUES begin with; each keeps one more at least."""
    first = dialogues[0][1]
    length = max(0, min(len(turns) for _, turns in dialogues) - 1)
    for number in range(length):
        if any(turns[number] != first[number] for _, turns in dialogues):
            return first[:number]
    return first[:length]


def _behind(turns: tuple[Message, ...], prompt: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return what stands in TURNS behind PROMPT, which they may begin with."""
    begins = len(turns) > len(prompt) and turns[: len(prompt)] == prompt
    return turns[len(prompt) :] if begins else turns


def _check_title(title: str, prompt: Sequence[Message]) -> None:
    """Raise DataError unless the text beside dialogues stands in one of their messages."""
    words = " ".join(title.split())
    if not any(words in " ".join(message.content.split()) for message in prompt):
        raise DataError(
            "the text stands in no message that both dialogues share, so it would not be used",
            field="prompt",
            remedy="if it is only a title: data.ignore_columns=[prompt]",
        )


def _no_prompt(row: Row) -> DataError:
    names = ", ".join(str(name) for name in row) or "none"
    return DataError(
        "missing: nothing says what the answers reply to",
        field="prompt",
        remedy=f"add it (the keys here are: {names}), name its column by "
        "data.columns.prompt=COLUMN, or, if the prompt is what both answers begin with, "
        "data.format=implicit_prompt",
    )


def _with_system(prompt: Prompt, system: Any) -> Prompt:
    if system is None or isinstance(prompt, str):
        return prompt
    text = as_text(system, "system")
    if not text.strip():
        return prompt
    if prompt and prompt[0].role == "system":
        if prompt[0].content == text:
            return prompt
        problem = "differs from the system message of the prompt"
        raise DataError(problem, field="system", remedy="keep one of them")
    return (Message("system", text), *prompt)


def _with_prefix(prompt: Prompt, prefix: Any) -> Prompt:
    """Put the beginning of the answers behind PROMPT; that of a chat is an assistant message."""
    text = "" if prefix is None else as_text(prefix, PREFIX)
    if not text:
        return prompt
    if not isinstance(prompt, str):
        return (*prompt, Message("assistant", text))
    return prompt + ("" if prompt[-1:].isspace() else "\n") + text


def _answer(turns: str | tuple[Message, ...], field: str) -> Answer:
    if isinstance(turns, str):
        return turns, ""
    if len(turns) != 1 or turns[0].role != "assistant":
        raise DataError(
            f"holds {roles_of(turns)}; one assistant message is supported",
            field=field,
            remedy="move the earlier messages into the prompt",
        )
    return turns[0].content, turns[0].tool_calls
