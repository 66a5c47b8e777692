"""TRL's prompt-only format: a prompt to be answered.

Source: TRL's documentation, "Dataset formats and types".
"""

from __future__ import annotations

from typing import Any

from prefrun.records.converters.chat import write_prompt
from prefrun.records.converters.exchange import COLUMNS, read_exchange
from prefrun.records.converters.fields import others, required
from prefrun.records.format import Format
from prefrun.records.place import Row
from prefrun.records.tree import PreferenceTree


def from_prompt_only(row: Row, id: str) -> PreferenceTree:
    """Return a tree without branches."""
    required(row, "prompt")
    exchange = read_exchange(row, ())
    rest = others(row, *COLUMNS)
    return PreferenceTree(id, exchange.prompt, metadata=rest, tools=exchange.tools)


def to_prompt_only(tree: PreferenceTree) -> dict[str, Any]:
    """Return the prompt of a tree. The format holds no answers, weights or annotator."""
    return {**tree.metadata, "prompt": write_prompt(tree.prompt)}


PROMPT_ONLY = Format(
    "prompt_only", from_prompt_only, min_answers=0, is_ranked=False, columns=COLUMNS
)
