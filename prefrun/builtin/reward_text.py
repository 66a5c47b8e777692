"""The text a reward model reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jinja2.exceptions import TemplateError

from prefrun.errors import DataError
from prefrun.records.converters.chat import as_messages
from prefrun.records.converters.messages import with_answer

if TYPE_CHECKING:
    from prefrun.records.tree import PreferenceTree


def reward_text(tokenizer: Any, tree: PreferenceTree, response: str) -> tuple[str, bool]:
    """Return prompt and RESPONSE as one text, and whether the chat template made it.

    A text from the template brings its special tokens; without a template it is the prompt's
    messages and the response, one per line. Raises DataError where the template refuses the chat.
    """
    chat = with_answer(as_messages(tree.prompt), response)
    if not tokenizer.chat_template:
        return "\n".join(message["content"] for message in chat), False
    try:
        tools = {"tools": json.loads(tree.tools)} if tree.tools else {}
        text: str = tokenizer.apply_chat_template(chat, tokenize=False, **tools)
    except TemplateError as error:
        raise DataError(
            f"the reward model's chat template refuses the conversation: {error}",
            record=tree.id,
            field="prompt",
            remedy="choose another reward model, or change the roles of the messages",
        ) from error
    return text, True
