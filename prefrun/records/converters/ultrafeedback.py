"""UltraFeedback's records: an instruction, and completions with scores and ratings by aspect.

Source: Cui et al. 2023, arXiv 2310.01377, and the layout of openbmb/UltraFeedback on the hub.
"""

from __future__ import annotations

from typing import Any

from prefrun.errors import DataError
from prefrun.records.converters.chat import as_messages
from prefrun.records.converters.fields import (
    as_list,
    as_number,
    as_object,
    as_text,
    others,
    required,
)
from prefrun.records.format import Format
from prefrun.records.place import Row
from prefrun.records.tree import OVERALL, Branch, Message, PreferenceTree, Step

ASPECTS = ("instruction_following", "honesty", "truthfulness", "helpfulness")
SCORES = {OVERALL: "overall_score", "fine_grained": "fine-grained_score"}
"""Objective and the completion's key that holds it."""
OBJECTIVES = (*SCORES, *ASPECTS)
BOOKKEEPING = (
    "source",
    "models",
    "correct_answers",
    "incorrect_answers",
    "completions.model",
    "completions.critique",
    "completions.principle",
    "completions.custom_system_prompt",
    "completions.annotations",
)
"""What the records hold besides: who wrote the answers, to which hidden system prompt, and why they
were rated so."""
NOT_RATED = "N/A"
DETAILS = "completion_details"
"""Key of the metadata for what the completions hold besides answer, model and scores."""


def from_ultrafeedback(row: Row, id: str) -> PreferenceTree:
    """Return the tree of one record; the instruction becomes a user message.

    Scores by objective: overall, fine_grained and the four aspects, each where it is given.
    A rating is a number or UltraFeedback's text form of one ("5"); "N/A" is no score.
    Raises DataError naming the field.
    """
    instruction = as_text(required(row, "instruction"), "instruction")
    completions = as_list(required(row, "completions"), "completions")
    branches, details = [], []
    for index, value in enumerate(completions):
        field = f"completions[{index}]"
        branch, detail = _read_completion(as_object(value, field), field)
        branches.append(branch)
        details.append(detail)
    return PreferenceTree(
        id,
        (Message("user", instruction),),
        tuple(branches),
        metadata={**others(row, "instruction", "completions"), DETAILS: details},
    )


def to_ultrafeedback(tree: PreferenceTree) -> dict[str, Any]:
    """Return the record of a tree; what `from_ultrafeedback` read comes back.

    The format cannot hold: a prompt of several messages (DataError; a text prompt is written as
    the instruction), ranks, step bounds and step scores, weights, the annotator, other
    objectives. Aspect ratings are written as text, as UltraFeedback does.
    """
    messages = as_messages(tree.prompt)
    if [message.role for message in messages] != ["user"]:
        raise DataError(
            "UltraFeedback holds one user message as prompt",
            record=tree.id,
            field="prompt",
            remedy="write it in the step tree format",
        )
    details = tree.metadata.get(DETAILS, ())
    if len(details) != len(tree.branches):
        details = [{}] * len(tree.branches)
    completions = [
        _write_completion(branch, detail)
        for branch, detail in zip(tree.branches, details, strict=True)
    ]
    return {
        **others(tree.metadata, DETAILS),
        "instruction": messages[0].content,
        "completions": completions,
    }


def score_field(index: int | str, objective: str) -> str:
    """Return where a record holds the score of a completion."""
    if objective in ASPECTS:
        return f"completions[{index}].annotations.{objective}.Rating"
    return f"completions[{index}].{SCORES.get(objective, objective)}"


ULTRAFEEDBACK = Format(
    "ultrafeedback",
    from_ultrafeedback,
    prompt_field="instruction",
    answers_field="completions",
    answer_field=lambda index: f"completions[{index}].response",
    score_field=score_field,
    columns=(
        "instruction",
        "completions.response",
        *(f"completions.{key}" for key in SCORES.values()),
        *(f"completions.annotations.{aspect}.Rating" for aspect in ASPECTS),
    ),
    bookkeeping=BOOKKEEPING,
)


def _read_completion(row: Row, field: str) -> tuple[Branch, dict[str, Any]]:
    """Return the branch, and what of ROW it does not hold."""
    text = as_text(required(row, "response", f"{field}.response"), f"{field}.response")
    detail = others(row, "response")
    scores: dict[str, float] = {}
    for objective, key in SCORES.items():
        if row.get(key) is not None:
            scores[objective] = as_number(detail.pop(key), f"{field}.{key}")
    source = None
    if row.get("model") is not None:
        source = as_text(detail.pop("model"), f"{field}.model")
    if row.get("annotations") is not None:
        annotations = as_object(row["annotations"], f"{field}.annotations")
        detail["annotations"] = dict(annotations)
        for aspect in ASPECTS:
            if annotations.get(aspect) is not None:
                annotation = as_object(annotations[aspect], f"{field}.annotations.{aspect}")
                rating = _read_rating(annotation, f"{field}.annotations.{aspect}.Rating")
                if rating is not None:
                    scores[aspect] = rating
                    detail["annotations"][aspect] = others(annotation, "Rating")
    return Branch((Step(text),), scores, source=source), detail


def _read_rating(annotation: Row, field: str) -> float | None:
    value = annotation.get("Rating")
    if value is None or value == NOT_RATED:
        return None
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            problem = f"is {value!r:.40}, not a rating"
            remedy = f'give a number, or "{NOT_RATED}" where there is none'
            raise DataError(problem, field=field, remedy=remedy) from None
    return as_number(value, field)


def _write_completion(branch: Branch, detail: Row) -> dict[str, Any]:
    completion = {**detail, "response": branch.text}
    if branch.source is not None:
        completion["model"] = branch.source
    for objective, key in SCORES.items():
        if objective in branch.scores:
            completion[key] = branch.scores[objective]
    rated = [aspect for aspect in ASPECTS if aspect in branch.scores]
    if rated:
        annotations = dict(completion.get("annotations") or {})
        for aspect in rated:
            rating = _write_rating(branch.scores[aspect])
            annotations[aspect] = {**(annotations.get(aspect) or {}), "Rating": rating}
        completion["annotations"] = annotations
    return completion


def _write_rating(score: float) -> str:
    return str(int(score)) if score == int(score) else repr(score)
