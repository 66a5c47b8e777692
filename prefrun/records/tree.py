"""The one record type: a prompt, and branches of one or more steps each."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from prefrun.errors import DataError

OVERALL = "overall"


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message."""

    role: str
    """'system', 'user', 'assistant' or 'tool'."""
    content: str
    tool_calls: str = ""
    """The calls of an assistant message: JSON text of a list, '' for none."""
    name: str = ""
    """The tool that a tool message is from, where the data say so."""
    tool_call_id: str = ""
    """The call that a tool message answers, where the data say so."""


Prompt = str | tuple[Message, ...]
"""Plain text (used as it stands) or chat messages (put through the tokenizer's chat template). An
assistant message at the end of a chat is the beginning of every answer, which goes on from it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a branch. The steps of a branch, joined without a separator, are its text."""

    text: str
    score: float | None = None
    """Quality of this step, higher is better; None where it was not judged."""


@dataclass(frozen=True, slots=True)
class Branch:
    """One path from the prompt to a leaf. Branches that begin with equal steps share them."""

    steps: tuple[Step, ...]
    scores: Mapping[str, float] = field(default_factory=dict)
    """Score of the leaf by objective, higher is better; 'overall' is the usual one."""
    rank: int | None = None
    """1 is best; tied branches share the smallest rank. None where only scores are known."""
    _: KW_ONLY
    weight: float = 1.0
    """How much this branch counts, at least 0."""
    source: str | None = None
    """Who wrote it, such as a model's name."""
    prompt: Prompt | None = None
    """What this answer replies to, where that is not the tree's prompt."""
    score_prompt: bool = False
    """Whether what its prompt does not share with those of the other branches is scored, as its
    first step (joint preferences); else no token of a prompt is."""
    tool_calls: str = ""
    """The tool calls at the end of this answer to a chat: JSON text of a list, '' for none."""
    features: Any = field(default=None, compare=False)
    """Vector of numbers [D], numpy, for models that score features and no text."""
    ids: tuple[int, ...] | None = None
    """The tokens of an answer of one step as a model sampled them, its end of turn included if it
    ended; None = the tokenizer makes them of the text."""
    extras: Mapping[str, float] = field(default_factory=dict)
    """Numbers for the loss, by name: `BranchBatch.branch_extras`."""
    token_extras: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Numbers for the loss, one per token in `ids`: `BranchBatch.extras`."""
    votes: float | None = None
    """How many raters preferred this answer, at least 0; None where nobody was counted."""
    role: str = ""
    """What the answer is in its record, if it is no plain answer, such as 'follow_up'."""

    @property
    def text(self) -> str:
        """The whole answer."""
        return "".join(step.text for step in self.steps)


@dataclass(frozen=True, slots=True)
class PreferenceTree:
    """A prompt with its answers. A pair has two leaves, a list K, a reasoning tree many."""

    id: str
    """Unique in its data set; errors and logs name it."""
    prompt: Prompt
    branches: tuple[Branch, ...] = ()
    weight: float = 1.0
    """How much this record counts, at least 0."""
    annotator: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Whatever else the source held; never read by the host. `features`, by convention, is a vector
    of numbers per branch: a numpy array [K, D], or a list of K arrays or lists of D numbers."""
    tools: str = ""
    """The tools that the chat template shows the model: JSON text of a list, '' for none."""

    @property
    def prompt_text(self) -> str:
        """The prompt as one string, for judges and reports: the last user message of a chat."""
        return _prompt_text(self.prompt)

    def labels(self, objective: str = OVERALL) -> list[float]:
        """One number per branch, higher is better: the scores of OBJECTIVE, else the negated ranks.

        Raises DataError where some branch has neither.
        """
        if all(objective in branch.scores for branch in self.branches):
            return [float(branch.scores[objective]) for branch in self.branches]
        if all(branch.rank is not None for branch in self.branches):
            return [-float(branch.rank or 0) for branch in self.branches]
        known = sorted({name for branch in self.branches for name in branch.scores})
        raise DataError(
            f"no score '{objective}' and no rank for every answer",
            record=self.id,
            field=objective,
            remedy=f"set data.objective to one of {known}" if known else "give scores or ranks",
        )

    def ranks(self, objective: str = OVERALL) -> list[int]:
        """Competition ranks by `labels`: 1 is best, ties share the smallest rank."""
        labels = self.labels(objective)
        negated = sorted(-label for label in labels)
        return [1 + bisect_left(negated, -label) for label in labels]

    def validate(self, min_branches: int = 0) -> None:
        """Raise DataError, naming the field, where the record cannot be used."""
        if not self.prompt_text.strip():
            raise DataError("the prompt is empty", record=self.id, field="prompt")
        if len(self.branches) < min_branches:
            raise DataError(
                f"{len(self.branches)} answer(s), at least {min_branches} needed",
                record=self.id,
                field="branches",
            )
        if not self.weight >= 0 or math.isinf(self.weight):
            raise DataError(
                f"weight {self.weight} is not a number >= 0", record=self.id, field="weight"
            )
        for number, branch in enumerate(self.branches):
            _validate_branch(branch, f"branches[{number}]", self.id)
        firsts: dict[tuple[Prompt | None, str, str], int] = {}
        for number, branch in enumerate(self.branches):
            answer = (branch.prompt, branch.text, branch.tool_calls)
            first = firsts.setdefault(answer, number)
            if first != number:
                raise DataError(
                    f"the same answer as branches[{first}]",
                    record=self.id,
                    field=f"branches[{number}]",
                )


def _prompt_text(prompt: Prompt) -> str:
    if isinstance(prompt, str):
        return prompt
    users = [message.content for message in prompt if message.role == "user"]
    return users[-1] if users else ""


def _validate_branch(branch: Branch, where: str, record: str) -> None:
    if not branch.steps:
        raise DataError("no steps", record=record, field=f"{where}.steps")
    if not branch.text.strip() and not branch.tool_calls:
        raise DataError("the answer is empty", record=record, field=where)
    if branch.prompt is not None and not _prompt_text(branch.prompt).strip():
        raise DataError("the prompt is empty", record=record, field=f"{where}.prompt")
    for name, score in branch.scores.items():
        if not _is_finite(score):
            raise _not_finite(score, record, f"{where}.scores.{name}")
    for number, step in enumerate(branch.steps):
        if step.score is not None and not _is_finite(step.score):
            raise _not_finite(step.score, record, f"{where}.steps[{number}].score")
    if branch.ids is not None and len(branch.steps) != 1:
        raise DataError("ids of several steps", record=record, field=f"{where}.ids")
    lengths = {name: len(values) for name, values in branch.token_extras.items()}
    if any(length != len(branch.ids or ()) for length in lengths.values()):
        raise DataError(
            f"{lengths} numbers for {len(branch.ids or ())} tokens in ids",
            record=record,
            field=f"{where}.token_extras",
        )
    rank = branch.rank
    if rank is not None and (isinstance(rank, bool) or not isinstance(rank, int) or rank < 1):
        raise DataError(
            f"rank {rank!r} is not a whole number >= 1", record=record, field=f"{where}.rank"
        )
    if not branch.weight >= 0 or math.isinf(branch.weight):
        raise DataError(
            f"weight {branch.weight} is not >= 0", record=record, field=f"{where}.weight"
        )
    if branch.votes is not None and (not _is_finite(branch.votes) or branch.votes < 0):
        raise DataError(
            f"votes {branch.votes!r} is not a number >= 0", record=record, field=f"{where}.votes"
        )


def _not_finite(number: object, record: str, field: str) -> DataError:
    return DataError(f"{number!r} is not a finite number", record=record, field=field)


def _is_finite(number: object) -> bool:
    if isinstance(number, bool) or not isinstance(number, int | float):
        return False
    try:
        return math.isfinite(number)
    except OverflowError:  # an integer beyond every float
        return False
