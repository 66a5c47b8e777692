"""What the host must know of a record format to read it and to speak of it in its own words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from prefrun.records.place import Row
from prefrun.records.tree import PreferenceTree


def _branch_field(index: int) -> str:
    return f"branches[{index}]"


def _score_field(index: int | str, objective: str) -> str:
    return f"branches[{index}].scores.{objective}"


@dataclass(frozen=True, slots=True)
class Format:
    """One record format. The defaults are the step tree's own names."""

    name: str
    read: Callable[[Row, str], PreferenceTree]
    """Called with a row and the tree's id. Raises DataError naming the row's field."""
    min_answers: int = 2
    is_ranked: bool = True
    """Whether a record must prefer some answer to another one."""
    prompt_field: str = "prompt"
    answers_field: str = "branches"
    answer_field: Callable[[int], str] = _branch_field
    """Where the row holds its answer of that index."""
    score_field: Callable[[int | str, str], str] = _score_field
    """Where the row holds the score of an answer (index, or '*' for all) for an objective."""
    columns: tuple[str, ...] | None = None
    """Paths of all that `read` uses of a row, such as 'answers.text'; text elsewhere is refused.
    None: not said, and nothing is refused."""
    bookkeeping: tuple[str, ...] = ()
    """Paths of what such rows hold besides, which no training needs: ids, notes, copies."""
    targets: tuple[str, ...] = ()
    """The keys of `data.columns` that could use another column; () where there are none."""
