"""Turns a preference tree into text: the prompt, and what follows it for each answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from prefrun.errors import ConfigError, DataError
from prefrun.policy.chat_template import apply_template
from prefrun.records.converters.messages import with_answer, write_messages
from prefrun.records.tree import Branch, Message, PreferenceTree


class Change(IntEnum):
    """What a chat template did to an answer; the larger is the worse."""

    none = 0
    trimmed = 1
    """White space at its ends is gone."""
    rewritten = 2
    """It is not in the conversation as it stands: a part was dropped or changed."""


@dataclass(frozen=True, slots=True)
class RenderedTree:
    """A tree as text, not yet truncated."""

    prompt: str
    tails: tuple[str, ...]
    """Per branch, what stands after the prompt; of a chat with the template's end of turn."""
    step_ends: tuple[tuple[int, ...], ...]
    """Per branch, index into its tail one past the last character of each step but the last."""
    chat: bool
    change: Change = Change.none
    """The worst that the chat template did to one of the answers."""


def render(tokenizer: Any, tree: PreferenceTree) -> RenderedTree:
    """Return TREE as text: plain prompts as they stand, chats through the chat template.

    Raises ConfigError if there is no template, DataError if it refuses the conversation or breaks
    its prompt.
    """
    change = Change.none
    if isinstance(tree.prompt, str):
        prompt, tails, chat = tree.prompt, tuple(b.text for b in tree.branches), False
    else:
        prompt, tails = _render_chat(tokenizer, tree, tree.prompt)
        chat = True
        changes = (_change(b.text, tail) for b, tail in zip(tree.branches, tails, strict=True))
        change = max(changes, default=change)
    ends = tuple(
        _step_ends(branch, tail, f"branches[{number}].steps", tree.id)
        for number, (branch, tail) in enumerate(zip(tree.branches, tails, strict=True))
    )
    return RenderedTree(prompt, tails, ends, chat, change)


def _render_chat(
    tokenizer: Any, tree: PreferenceTree, messages: tuple[Message, ...]
) -> tuple[str, tuple[str, ...]]:
    if not tokenizer.chat_template:
        raise ConfigError(
            f"record {tree.id} is a chat, but the model's tokenizer has no chat template\n"
            "  remedy: choose a chat model, put a chat_template.jinja into the model's folder, or "
            "give the prompts as plain text"
        )
    prompt = _render_prompt(tokenizer, tree, messages)
    tails = []
    for branch in tree.branches:
        chat = with_answer(messages, branch.text, branch.tool_calls)
        whole = _apply(tokenizer, tree, chat, add_generation_prompt=False)
        if not whole.startswith(prompt):
            raise _broken(tree.id, prompt)
        tails.append(whole[len(prompt) :])
    return prompt, tuple(tails)


def _render_prompt(tokenizer: Any, tree: PreferenceTree, messages: tuple[Message, ...]) -> str:
    """Return what stands before the answers; of an assistant message at the end, its text, too."""
    begun = messages[-1].content if _is_begun(messages) else ""
    return _apply(tokenizer, tree, _chat(messages), add_generation_prompt=True) + begun


def generation_prompt(tokenizer: Any, tree: PreferenceTree) -> str:
    """Return what the template adds to a chat to begin an answer; '' if it is plain text."""
    if isinstance(tree.prompt, str):
        return ""
    chat = _chat(tree.prompt)
    bare = _apply(tokenizer, tree, chat, add_generation_prompt=False)
    return _apply(tokenizer, tree, chat, add_generation_prompt=True)[len(bare) :]


def _is_begun(messages: tuple[Message, ...]) -> bool:
    """Whether the prompt ends with the beginning of the answers."""
    return bool(messages) and messages[-1].role == "assistant"


def _chat(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    return write_messages(messages[:-1] if _is_begun(messages) else messages)


def _apply(
    tokenizer: Any, tree: PreferenceTree, chat: list[dict[str, Any]], add_generation_prompt: bool
) -> str:
    tools = json.loads(tree.tools) if tree.tools else None
    return apply_template(
        tokenizer, chat, tree.id, add_generation_prompt=add_generation_prompt, tools=tools
    )


def _broken(record: str, prompt: str) -> DataError:
    return DataError(
        "the chat template of the model's tokenizer does not begin the answered conversation with "
        f"its own generation prompt: {prompt[-80:]!r} is not how it goes on",
        record=record,
        field="prompt",
        remedy="edit chat_template.jinja in the model's folder so that the last assistant turn "
        "begins with what add_generation_prompt=True writes, or change the template's arguments "
        "(model.template.NAME=VALUE)",
    )


def _change(answer: str, tail: str) -> Change:
    if answer in tail:
        return Change.none
    return Change.trimmed if answer.strip() in tail else Change.rewritten


def _step_ends(branch: Branch, tail: str, where: str, record: str) -> tuple[int, ...]:
    """Find the steps in TAIL, where a template may have trimmed the answer's outer whitespace."""
    if len(branch.steps) == 1:
        return ()
    text = branch.text
    start = tail.find(text)
    if start < 0:
        start = tail.find(text.strip()) - (len(text) - len(text.lstrip()))
        if text.strip() not in tail:
            raise DataError(
                "the tokenizer's chat template rewrites the answer, so its steps cannot be found",
                record=record,
                field=where,
                remedy="give the answer as one step, or the prompt as plain text",
            )
    ends, end = [], start
    for step in branch.steps[:-1]:
        end += len(step.text)
        ends.append(min(max(end, 0), len(tail)))
    return tuple(ends)
