"""data=gsm8k_trees: lists of solutions with one step a line become trees with scored branches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefrun.errors import DataError
from prefrun.records.converters.fields import as_list, as_object, as_text, required
from prefrun.records.dataset import build_split
from prefrun.records.format import Format
from prefrun.records.place import Row
from prefrun.records.reading import read_rows, stem
from prefrun.records.split import DataSplit
from prefrun.records.tree import OVERALL, Branch, Message, PreferenceTree, Step
from prefrun_tpo.config import Gsm8kTreesConfig
from prefrun_tpo.solutions import right_steps, step_result, step_total
from prefrun_tpo.verdicts import BestBranchVerifier

GOLD = 100.0
ANSWER = "A:"


class Gsm8kTrees:
    """Loads `question`, `ground_truth` and `solutions` of `solution` and `is_correct`."""

    uses_seed = False

    def __init__(self, config: Gsm8kTreesConfig) -> None:
        self.config = config

    def load(self, seed: int) -> DataSplit:
        """Read and validate everything; the same at every SEED. Raises DataError."""
        path = self.config.path or ""
        record_format = Format(
            "gsm8k_trees",
            lambda row, id: read_tree(row, id, self.config.max_branches),
            prompt_field="question",
            answers_field="solutions",
            answer_field=lambda index: f"solutions[{index - 1}]" if index else "ground_truth",
            score_field=lambda index, objective: "solutions[*].is_correct",
            columns=("question", "ground_truth", "solutions.solution", "solutions.is_correct"),
            bookkeeping=("solutions.model",),
        )
        test = self.config.test_path
        return build_split(
            f"gsm8k_trees-{stem(path)}",
            read_rows(path),
            record_format,
            self.config,
            held_out=read_rows(test) if test else None,
            reward=BestBranchVerifier(self.config.objective),
        )


def read_tree(row: Row, id: str, max_branches: int | None = None) -> PreferenceTree:
    """Return the tree of one question: the gold solution first, then the others, each once.

    A right solution scores 100, as the gold one does; a wrong one 200 * c / n - 100, where c of
    its n steps are right before the first wrong one. A step is right where some right solution
    goes the same way so far, told by the results of its calculations, else by its text. Raises
    DataError naming the field.
    """
    gold = read_steps(as_text(required(row, "ground_truth"), "ground_truth"), "ground_truth")
    found: list[tuple[tuple[str, ...], bool]] = [(gold, True)]
    for number, item in enumerate(as_list(required(row, "solutions"), "solutions")):
        field = f"solutions[{number}]"
        solution = as_object(item, field)
        text = as_text(required(solution, "solution", f"{field}.solution"), f"{field}.solution")
        right = _as_bool(required(solution, "is_correct", f"{field}.is_correct"), field)
        steps = read_steps(text, f"{field}.solution")
        if steps not in [known for known, _ in found]:
            found.append((steps, right))
    ways = [[step_result(step) for step in steps] for steps, right in found if right]
    branches = tuple(
        Branch(
            tuple(Step(step) for step in steps),
            {OVERALL: GOLD if right else score_of(steps, ways)},
        )
        for steps, right in found[:max_branches]
    )
    question = as_text(required(row, "question"), "question")
    return PreferenceTree(id, (Message("user", question),), branches)


def read_steps(text: str, field: str) -> tuple[str, ...]:
    """Split a solution into its lines, each with its end. Raises DataError where one is missing."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise DataError("no steps", field=field, remedy="give one step a line")
    if not lines[-1].strip().startswith(ANSWER):
        raise DataError(
            f"the last line {lines[-1]!r:.60} is no answer",
            field=field,
            remedy=f"end the solution with a line '{ANSWER} number'",
        )
    return (*(f"{line}\n" for line in lines[:-1]), lines[-1])


def score_of(steps: Sequence[str], ways: Sequence[Sequence[str]]) -> float:
    """Return 200 * c / n - 100, where c of n STEPS are right before the first wrong one.

    WAYS: the results of the steps of each right solution. A solution shorter than all of them has
    the n of the shortest.
    """
    results = [step_result(step) for step in steps]
    return 200.0 * right_steps(results, ways) / step_total(results, ways) - 100.0


def _as_bool(value: Any, field: str) -> bool:
    if not isinstance(value, bool):
        raise DataError(f"{value!r:.40} is not true or false", field=f"{field}.is_correct")
    return value
