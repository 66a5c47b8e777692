"""prefrun's own record format: every field of a PreferenceTree, as plain JSON.

{"prompt": text or messages, "branches": [{"steps": [{"text", "score"}], "scores": {objective:
number}, "rank", "weight", "source", "prompt", "score_prompt", "tool_calls", "votes", "role"}],
"weight", "annotator", "metadata", "tools"}; only prompt, branches, steps and text are required.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from prefrun.records.converters.chat import read_prompt, write_prompt
from prefrun.records.converters.fields import (
    as_list,
    as_number,
    as_object,
    as_text,
    as_truth,
    refuse_others,
    required,
)
from prefrun.records.converters.lists import read_rank
from prefrun.records.converters.messages import read_json_list
from prefrun.records.format import Format
from prefrun.records.place import Row
from prefrun.records.tree import Branch, PreferenceTree, Step

TREE_KEYS = ("prompt", "branches", "weight", "annotator", "metadata", "tools")
BRANCH_KEYS = (
    "steps",
    "scores",
    "rank",
    "weight",
    "source",
    "prompt",
    "score_prompt",
    "tool_calls",
    "votes",
    "role",
)
STEP_KEYS = ("text", "score")


def from_step_tree(row: Row, id: str) -> PreferenceTree:
    """Return the tree. Raises DataError naming the field, also for a key it does not know."""
    refuse_others(row, TREE_KEYS, "")
    branches = as_list(required(row, "branches"), "branches")
    return PreferenceTree(
        id,
        read_prompt(required(row, "prompt"), "prompt"),
        tuple(_read_branch(value, f"branches[{n}]") for n, value in enumerate(branches)),
        _optional(row, "weight", 1.0, as_number),
        _optional(row, "annotator", None, as_text),
        dict(_optional(row, "metadata", {}, as_object)),
        read_json_list(row.get("tools"), "tools"),
    )


def to_step_tree(tree: PreferenceTree) -> dict[str, Any]:
    """Return all of a tree but its id, as plain JSON; what has its default value is left out."""
    row = fields_of(tree)
    if "metadata" in row:
        row["metadata"] = _without_arrays(row["metadata"])
    return row


def fields_of(tree: PreferenceTree) -> dict[str, Any]:
    """Return what `to_step_tree` does, but with the arrays of its metadata as they are."""
    row = {
        "prompt": write_prompt(tree.prompt),
        "branches": [_write_branch(branch) for branch in tree.branches],
        "weight": tree.weight if tree.weight != 1.0 else None,
        "annotator": tree.annotator,
        "metadata": dict(tree.metadata) or None,
        "tools": json.loads(tree.tools) if tree.tools else None,
    }
    return _given(row)


STEP_TREES = Format("step_tree", from_step_tree)


def _read_branch(value: Any, field: str) -> Branch:
    row = as_object(value, field)
    refuse_others(row, BRANCH_KEYS, field)
    steps = as_list(required(row, "steps", f"{field}.steps"), f"{field}.steps")
    scores = _optional(row, "scores", {}, as_object, field)
    return Branch(
        tuple(_read_step(step, f"{field}.steps[{n}]") for n, step in enumerate(steps)),
        {
            name: as_number(score, f"{field}.scores.{name}")
            for name, score in scores.items()
            if score is not None  # parquet gives every branch the objectives of all of them
        },
        _optional(row, "rank", None, read_rank, field),
        weight=_optional(row, "weight", 1.0, as_number, field),
        source=_optional(row, "source", None, as_text, field),
        prompt=_optional(row, "prompt", None, read_prompt, field),
        score_prompt=_optional(row, "score_prompt", False, as_truth, field),
        tool_calls=read_json_list(row.get("tool_calls"), f"{field}.tool_calls"),
        votes=_optional(row, "votes", None, as_number, field),
        role=_optional(row, "role", "", as_text, field),
    )


def _read_step(value: Any, field: str) -> Step:
    row = as_object(value, field)
    refuse_others(row, STEP_KEYS, field)
    text = as_text(required(row, "text", f"{field}.text"), f"{field}.text")
    return Step(text, _optional(row, "score", None, as_number, field))


def _optional(row: Row, key: str, default: Any, read: Any, owner: str = "") -> Any:
    value = row.get(key)
    return default if value is None else read(value, f"{owner}.{key}" if owner else key)


def _write_branch(branch: Branch) -> dict[str, Any]:
    row = {
        "steps": [_given({"text": step.text, "score": step.score}) for step in branch.steps],
        "scores": dict(branch.scores) or None,
        "rank": branch.rank,
        "weight": branch.weight if branch.weight != 1.0 else None,
        "source": branch.source,
        "prompt": None if branch.prompt is None else write_prompt(branch.prompt),
        "score_prompt": branch.score_prompt or None,
        "tool_calls": json.loads(branch.tool_calls) if branch.tool_calls else None,
        "votes": branch.votes,
        "role": branch.role or None,
    }
    return _given(row)


def _without_arrays(value: Any) -> Any:
    """Return VALUE, of metadata, with lists in the place of numpy's arrays."""
    if isinstance(value, Mapping):
        return {key: _without_arrays(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_arrays(item) for item in value]
    return value.tolist() if hasattr(value, "__array_interface__") else value


def _given(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if value is not None}
