"""Lists of answers with scores or ranks: {prompt, responses, scores | ranks}."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefrun.errors import DataError
from prefrun.records.converters.chat import write_prompt
from prefrun.records.converters.exchange import COLUMNS, read_exchange
from prefrun.records.converters.fields import (
    VOTES,
    as_list,
    as_number,
    as_object,
    has_votes,
    others,
    read_votes,
    required,
)
from prefrun.records.converters.pairs import write_votes
from prefrun.records.format import Format
from prefrun.records.place import Row
from prefrun.records.tree import OVERALL, Branch, PreferenceTree, Step

KEYS = (*COLUMNS, "responses", "scores", "ranks", "objectives")
"""What is read beside the votes."""


def from_list(row: Row, id: str) -> PreferenceTree:
    """Return the tree of a list: 'scores' are overall scores, of 'ranks' 1 is the best.

    Prompt and responses are text or messages. 'objectives' names lists of other scores, each with
    null where an answer has none. 'votes' are numbers of raters, one per response. Raises DataError
    naming the field.
    """
    responses = as_list(required(row, "responses"), "responses")
    exchange = read_exchange(row, [(f"responses[{n}]", each) for n, each in enumerate(responses)])
    named = as_object(row.get("objectives") or {}, "objectives")
    if row.get("scores") is None and row.get("ranks") is None and not named:
        raise DataError("missing: neither scores nor ranks", field="scores", remedy="add one")
    scores, ranks = (_read_column(row, key, len(responses)) for key in ("scores", "ranks"))
    votes = read_votes(row, len(responses))
    columns = {key: _read_column(named, key, len(responses)) or () for key in named}
    branches = []
    for index, (text, calls) in enumerate(exchange.answers):
        own = {
            key: as_number(column[index], f"objectives.{key}[{index}]")
            for key, column in columns.items()
            if column[index] is not None
        }
        if scores is not None:
            own[OVERALL] = as_number(scores[index], f"scores[{index}]")
        rank = None if ranks is None else read_rank(ranks[index], f"ranks[{index}]")
        branches.append(Branch((Step(text),), own, rank, tool_calls=calls, votes=votes[index]))
    rest = others(row, *KEYS, *[VOTES] * has_votes(row))
    return PreferenceTree(id, exchange.prompt, tuple(branches), metadata=rest, tools=exchange.tools)


def to_list(tree: PreferenceTree) -> dict[str, Any]:
    """Return the list of a tree whose answers all have an overall score, a rank, or both.

    The format cannot hold: a tree where only some have them (DataError); other objectives,
    sources, step bounds and step scores, weights, the annotator.
    """
    scores = [branch.scores.get(OVERALL) for branch in tree.branches]
    ranks = [branch.rank for branch in tree.branches]
    columns: dict[str, list[Any]] = {"scores": scores, "ranks": ranks}
    full = {key: values for key, values in columns.items() if None not in values}
    if not full or not tree.branches:
        problem = "neither an overall score nor a rank for every answer"
        raise DataError(problem, record=tree.id, field="branches", remedy="give one")
    return {
        **tree.metadata,
        "prompt": write_prompt(tree.prompt),
        "responses": [branch.text for branch in tree.branches],
        **full,
        **write_votes(tree.branches),
    }


def read_rank(value: Any, field: str) -> int:
    """Return a rank. Raises DataError unless VALUE is a whole number, at least 1."""
    rank = as_number(value, field)
    if rank != int(rank) or rank < 1:
        raise DataError(f"is {rank:g}, not a rank", field=field, remedy="the best one has 1")
    return int(rank)


LISTS = Format(
    "list",
    from_list,
    answers_field="responses",
    answer_field=lambda index: f"responses[{index}]",
    score_field=lambda index, objective: f"scores[{index}]",
    columns=(*KEYS, VOTES),
)


def _read_column(row: Row, key: str, length: int) -> Sequence[Any] | None:
    if row.get(key) is None:
        return None
    values = as_list(row[key], key)
    if len(values) != length:
        problem = f"{len(values)} {key} for {length} responses"
        raise DataError(problem, field=key, remedy="give one per response")
    return values
