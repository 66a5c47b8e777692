"""Prompts as text or as chat messages, in both directions."""

from __future__ import annotations

from typing import Any

from prefrun.records.converters.fields import as_text
from prefrun.records.converters.messages import is_chat, read_messages, write_messages
from prefrun.records.tree import Branch, Message, Prompt


def read_prompt(value: Any, field: str) -> Prompt:
    """Return text as it is and a list as messages. Raises DataError."""
    return read_messages(value, field) if is_chat(value) else as_text(value, field)


def as_messages(prompt: Prompt) -> tuple[Message, ...]:
    """Return PROMPT as a chat; text becomes one user message."""
    return (Message("user", prompt),) if isinstance(prompt, str) else prompt


def write_prompt(prompt: Prompt) -> str | list[dict[str, Any]]:
    """Return text as it is and messages as a list of {role, content}."""
    return prompt if isinstance(prompt, str) else write_messages(prompt)


def write_answer(branch: Branch, chat: bool) -> str | list[dict[str, Any]]:
    """Return an answer as text or, where CHAT, as a list of one assistant message."""
    message = Message("assistant", branch.text, branch.tool_calls)
    return write_messages([message]) if chat else branch.text
