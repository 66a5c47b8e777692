"""data=step_trees: {prompt, responses: lists of steps, scores}, as the official data recipe has it.

A response may be one text as well; it is then cut before each 'Step k:'.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from typing import Any

from prefrun.errors import DataError
from prefrun.records.converters.chat import read_prompt, write_prompt
from prefrun.records.converters.fields import as_list, as_number, as_text, others, required
from prefrun.records.dataset import build_split
from prefrun.records.format import Format
from prefrun.records.place import Row
from prefrun.records.reading import read_rows, stem
from prefrun.records.split import DataSplit
from prefrun.records.tree import OVERALL, Branch, PreferenceTree, Step
from prefrun_tpo.config import StepTreesConfig, TrainBranches
from prefrun_tpo.steps import begins_with_marker, split_at_markers

KEYS = ("prompt", "responses", "scores", "sources")
BOOKKEEPING = ("completion_details", "models", "correct_answers", "incorrect_answers")
"""What trees grown from UltraFeedback's records hold besides."""
SEED = "{seed}"
MARK = "write 'Step 1:', 'Step 2:', ... before the steps, or give the response as a list of steps"


class StepTrees:
    """Loads trees with scored branches."""

    card = """
    Preference trees, one a record: prompt (text or messages), responses (each a list of steps; or
    one text, cut before each 'Step k:'), scores (one number a response; numbers written as text are
    read, as the official judge gives them). The official order puts the gold solution first and the
    known wrong one last. Source: data recipe of TPO, arXiv 2410.12854.
    """

    def __init__(self, config: StepTreesConfig) -> None:
        self.config = config

    def load(self, seed: int) -> DataSplit:
        """Read and validate everything; SEED stands for '{seed}' in the path. Raises DataError."""
        path = (self.config.path or "").replace(SEED, str(seed))
        config = replace(self.config, path=path)
        record_format = Format(
            "step_trees",
            lambda row, id: read_tree(row, id, drop_unscored=self.config.drop_unscored),
            answers_field="responses",
            answer_field=lambda index: f"responses[{index}]",
            score_field=lambda index, objective: f"scores[{index}]",
            columns=KEYS,
            bookkeeping=BOOKKEEPING,
        )
        held_out = read_rows(config.test_path) if config.test_path else None
        name = f"step_trees-{stem(path)}"
        split = build_split(name, read_rows(path), record_format, config, held_out=held_out)
        if self.config.train_branches is TrainBranches.all:
            return split
        return replace(
            split,
            train=[first_and_last(tree) for tree in split.train],
            fingerprint=sha256(f"{split.fingerprint} first_and_last".encode()).hexdigest(),
        )


def read_tree(row: Row, id: str, *, drop_unscored: bool = False) -> PreferenceTree:
    """Return the tree of one record. Raises DataError naming the field."""
    prompt = read_prompt(required(row, "prompt"), "prompt")
    responses = as_list(required(row, "responses"), "responses")
    scores = _column(row, "scores", len(responses))
    sources = _column(row, "sources", len(responses)) if row.get("sources") else None
    branches = []
    for number, (response, score) in enumerate(zip(responses, scores, strict=True)):
        if score is None and drop_unscored:
            continue
        steps = read_steps(response, f"responses[{number}]")
        value = read_score(score, f"scores[{number}]")
        source = as_text(sources[number], f"sources[{number}]") if sources else None
        branches.append(
            Branch(tuple(Step(step) for step in steps), {OVERALL: value}, source=source)
        )
    return PreferenceTree(id, prompt, tuple(branches), metadata=others(row, *KEYS))


def read_steps(value: Any, field: str) -> list[str]:
    """Return the steps of one response. Raises DataError where there are none."""
    if isinstance(value, str):
        text = as_text(value, field)
        if text.strip() and not begins_with_marker(text):
            raise DataError(f"no step marker at {text.strip()[:30]!r}", field=field, remedy=MARK)
        steps = split_at_markers(text) if text.strip() else []
    else:
        items = as_list(value, field)
        steps = [as_text(item, f"{field}[{n}]") for n, item in enumerate(items)]
    for number, step in enumerate(steps):
        if not step.strip():
            raise DataError("an empty step", field=f"{field}[{number}]", remedy="remove it")
    if not steps:
        raise DataError("no steps", field=field, remedy="give at least one step")
    return steps


def read_score(value: Any, field: str) -> float:
    """Return a score: a finite number, also one written as text. Raises DataError."""
    if value is None:
        raise DataError(
            "is null, not a number",
            field=field,
            remedy="give a number, or leave such responses out with data.drop_unscored=true",
        )
    if isinstance(value, str):
        with suppress(ValueError):  # as_number says what is wrong with it
            value = float(value)
    return float(as_number(value, field))


def first_and_last(tree: PreferenceTree) -> PreferenceTree:
    """Return TREE with its first and last branch only."""
    return replace(tree, branches=(tree.branches[0], tree.branches[-1]))


def _column(row: Row, key: str, length: int) -> Sequence[Any]:
    values = as_list(required(row, key), key)
    if len(values) != length:
        problem = f"{len(values)} {key} for {length} responses"
        raise DataError(problem, field=key, remedy="give one per response")
    return values


def write_rows(trees: Sequence[PreferenceTree]) -> Iterator[dict[str, Any]]:
    """Return TREES, whose branches all have an overall score, as records of this format."""
    for tree in trees:
        yield {
            "prompt": write_prompt(tree.prompt),
            "responses": [[step.text for step in branch.steps] for branch in tree.branches],
            "scores": [branch.scores[OVERALL] for branch in tree.branches],
            "sources": [branch.source for branch in tree.branches],
            **tree.metadata,
        }
