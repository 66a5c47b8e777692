"""Turns a preference tree into text: the prompt, and what follows it for each answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from jinja2.exceptions import TemplateError

from prefrun.errors import ConfigError, DataError
from prefrun.records.converters.messages import with_answer, write_messages
from prefrun.records.tree import Branch, Message, PreferenceTree


@dataclass(frozen=True, slots=True)
class RenderedTree:
    """A tree as text, not yet cut."""

    prompt: str
    tails: tuple[str, ...]
    """Per branch, what stands after the prompt; of a chat with the template's end of turn."""
    step_ends: tuple[tuple[int, ...], ...]
    """Per branch, index into its tail one past the last character of each step but the last."""
    chat: bool


def render(tokenizer: Any, tree: PreferenceTree) -> RenderedTree:
    """Return TREE as text: plain prompts as they stand, chats through the chat template.

    Raises ConfigError where the template is missing or breaks the prompt, DataError where it
    refuses the conversation.
    """
    if isinstance(tree.prompt, str):
        prompt, tails, chat = tree.prompt, tuple(b.text for b in tree.branches), False
    else:
        prompt, tails = _render_chat(tokenizer, tree, tree.prompt)
        chat = True
    ends = tuple(
        _step_ends(branch, tail, f"branches[{number}].steps", tree.id)
        for number, (branch, tail) in enumerate(zip(tree.branches, tails, strict=True))
    )
    return RenderedTree(prompt, tails, ends, chat)


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
        whole = _apply_template(tokenizer, chat, tree, add_generation_prompt=False)
        if not whole.startswith(prompt):
            raise ConfigError(
                "the chat template of the model's tokenizer does not begin a conversation with "
                f"its own generation prompt (record {tree.id}): {prompt[-80:]!r} is not how "
                "the answered conversation goes on\n"
                "  remedy: edit chat_template.jinja in the model's folder so that the last "
                "assistant turn begins with what add_generation_prompt=True writes"
            )
        tails.append(whole[len(prompt) :])
    return prompt, tuple(tails)


def _render_prompt(tokenizer: Any, tree: PreferenceTree, messages: tuple[Message, ...]) -> str:
    """Return what stands before the answers; of an assistant message at the end, its text, too."""
    is_begun = bool(messages) and messages[-1].role == "assistant"
    chat = write_messages(messages[:-1] if is_begun else messages)
    text = _apply_template(tokenizer, chat, tree, add_generation_prompt=True)
    return text + messages[-1].content if is_begun else text


def _apply_template(
    tokenizer: Any, chat: list[dict[str, Any]], tree: PreferenceTree, add_generation_prompt: bool
) -> str:
    tools = {"tools": json.loads(tree.tools)} if tree.tools else {}
    try:
        text: str = tokenizer.apply_chat_template(
            chat, tokenize=False, add_generation_prompt=add_generation_prompt, **tools
        )
    except TemplateError as error:
        raise DataError(
            f"the tokenizer's chat template refuses the conversation: {error}",
            record=tree.id,
            field="prompt",
            remedy="change the roles of the messages to those the model knows",
        ) from error
    return text


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
