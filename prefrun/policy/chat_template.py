"""A tokenizer's chat template: applied to one conversation, with its arguments and a fixed date."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from jinja2 import Environment, meta, nodes
from jinja2.exceptions import TemplateSyntaxError
from jinja2.ext import Extension
from jinja2.parser import Parser
from transformers import PreTrainedTokenizerBase

from prefrun.errors import ConfigError, DataError, closest, first_sentence

DATE = datetime(2024, 7, 26)
"""What a template that asks for the time is told: the same in every run, so that all of them have
the same prompts. It is the date that Llama 3's own template falls back on."""
OF_TRANSFORMERS = {
    "messages",
    *inspect.signature(PreTrainedTokenizerBase.apply_chat_template).parameters,
}
_CLOCK = "strftime_now"
_FORMAT = re.compile(rf"""{_CLOCK}\(\s*(?:'([^']*)'|"([^"]*)")""")


def apply_template(
    tokenizer: Any,
    chat: Sequence[Mapping[str, Any]],
    record: str,
    *,
    add_generation_prompt: bool,
    tools: Sequence[Any] | None = None,
) -> str:
    """Return CHAT as the template of TOKENIZER writes it. Needs a tokenizer that has one.

    Raises ConfigError if the template cannot be read, DataError if it refuses the conversation.
    """
    try:
        text: str = tokenizer.apply_chat_template(
            chat,
            tools=tools,
            chat_template=_dated(tokenizer.get_chat_template(tools=tools)),
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
        )
    except (ImportError, TemplateSyntaxError) as error:
        raise ConfigError(
            f"the chat template of the model's tokenizer cannot be used: {first_sentence(error)}\n"
            "  remedy: correct chat_template.jinja in the model's folder"
        ) from error
    except Exception as error:  # a template is code of the model's author, which may raise anything
        raise DataError(
            f"the tokenizer's chat template refuses the conversation: {first_sentence(error)}",
            record=record,
            field="prompt",
            remedy="change the roles of the messages to those the model knows",
        ) from error
    return text


def asks_for_date(tokenizer: Any, text: str) -> bool:
    """Tell whether TEXT, written by the template of TOKENIZER, holds the date it was told."""
    return any(date in text for date in _dates(tokenizer.get_chat_template()).values())


@lru_cache
def _dated(source: str) -> str:
    """Return the template with a clock that stands still; one without clock as it is.

    The line break goes with `trim_blocks`, so what follows is read as if it stood alone.
    """
    if _CLOCK not in source:
        return source
    return (
        f"{{%- macro {_CLOCK}(format) %}}{{{{ {json.dumps(_dates(source))}[format] "
        "or raise_exception('prefrun knows no date in the format ' + format) }}{% endmacro %}\n"
        f"{source}"
    )


def _dates(source: str) -> dict[str, str]:
    """Map each format in which the template asks for the time to the time it is told."""
    formats = {single or double for single, double in _FORMAT.findall(source)}
    return {form: DATE.strftime(form) for form in sorted(formats)}


def set_template_arguments(tokenizer: Any, arguments: Mapping[str, Any]) -> None:
    """Make ARGUMENTS the defaults of what the chat template of TOKENIZER reads, in place.

    They are written into the template in the syntax of Jinja, which takes Python's literals:
    whoever uses or saves the tokenizer has them too.
    Raises ConfigError for arguments that the template does not read.
    """
    if not arguments:
        return
    if not tokenizer.chat_template:
        raise ConfigError(
            f"model.template.{next(iter(arguments))} is set, but the model's tokenizer has no chat "
            "template\n  remedy: leave it out, or choose a chat model"
        )
    source = tokenizer.get_chat_template()
    known = sorted(_read_by(source) - OF_TRANSFORMERS - set(tokenizer.special_tokens_map))
    for name in arguments:
        if name not in known:
            raise ConfigError(
                f"model.template.{name}: the chat template reads no such argument."
                f"{closest(name, known)} It reads: {', '.join(known) or 'none'}"
            )
    defaults = "".join(
        f"{{% if {name} is not defined %}}{{% set {name} = {value!r} %}}{{% endif %}}\n"
        for name, value in arguments.items()
    )
    tokenizer.chat_template = defaults + source


def _read_by(source: str) -> set[str]:
    """Return the names that a template reads and does not set itself, unless they are missing."""
    environment = Environment(extensions=[_Generation, "jinja2.ext.loopcontrols"])
    builtin = {*environment.globals, "raise_exception", _CLOCK, "namespace", "dict"}
    try:
        tree = environment.parse(source)
        names = meta.find_undeclared_variables(tree) - builtin
    except TemplateSyntaxError as error:
        raise ConfigError(
            f"the chat template of the model's tokenizer cannot be read: {error}\n"
            "  remedy: correct chat_template.jinja in the model's folder"
        ) from error
    own = {node.name for node in tree.find_all(nodes.Name) if node.ctx == "store"}
    return {name for name in names if name not in own or _may_be_missing(name, source)}


def _may_be_missing(name: str, source: str) -> bool:
    return re.search(rf"\b{name}\s+is\s+(not\s+)?defined\b", source) is not None


class _Generation(Extension):
    """The tag with which templates mark what the assistant says; here it changes nothing."""

    tags = {"generation"}  # noqa: RUF012 - as jinja2 has it

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """Return what stands between the tags."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)
