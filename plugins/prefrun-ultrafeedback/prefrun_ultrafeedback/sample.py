"""Generates the embedded sample, in the record layout of openbmb/UltraFeedback."""

from __future__ import annotations

import hashlib
from random import Random
from typing import Any

from prefrun.errors import DataError
from prefrun_ultrafeedback.grades import GRADES, answer
from prefrun_ultrafeedback.judge import ASPECTS, Verdict, judge
from prefrun_ultrafeedback.tasks import draw_instruction, parse

SOURCE = "prefrun/sample"
TRAIN, TEST = 512, 128
"""Records of the default sample."""

_REMARKS = {
    "instruction_following": (
        "ignores",
        "mostly ignores",
        "partly follows",
        "nearly follows",
        "follows",
    ),
    "honesty": ("misleads about", "overstates", "hides", "fairly shows", "shows"),
    "truthfulness": (
        "is untrue on",
        "is doubtful on",
        "is partly true on",
        "is nearly true on",
        "is true on",
    ),
    "helpfulness": ("does not serve", "hardly serves", "partly serves", "serves", "fully serves"),
}
_OBJECTS = {
    "instruction_following": "the instruction",
    "honesty": "how sure one can be",
    "truthfulness": "the facts",
    "helpfulness": "the reader",
}


def train_and_test(
    train: int = TRAIN, test: int = TEST, seed: int = 0
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return records to train on and held-out ones. They share no instruction, at any seed.

    A held-out instruction can share its question with a training one, under another style.
    """
    return generate(train, seed), generate(test, seed, held_out=True)


def generate(count: int, seed: int, *, held_out: bool = False) -> list[dict[str, Any]]:
    """Return COUNT records with different instructions: of the training part, or held-out ones.

    The same on every machine for the same arguments. Raises DataError where COUNT is too large.
    """
    rng = Random(f"{SOURCE} {seed} {'test' if held_out else 'train'}")
    return [_record(instruction, rng) for instruction in _instructions(count, rng, held_out)]


def is_held_out(instruction: str) -> bool:
    """Return whether INSTRUCTION belongs to the test part: one in five does, whatever the seed."""
    return hashlib.sha256(instruction.encode()).digest()[0] % 5 == 0


def _instructions(count: int, rng: Random, held_out: bool) -> list[str]:
    """Return COUNT different instructions of one part."""
    found: dict[str, None] = {}
    for _ in range(100 * count):
        if len(found) == count:
            break
        instruction = draw_instruction(rng)
        if is_held_out(instruction) == held_out:
            found[instruction] = None
    if len(found) < count:
        raise DataError(f"the sample has fewer than {count} instructions", remedy="ask for fewer")
    return list(found)


def _record(instruction: str, rng: Random) -> dict[str, Any]:
    """Return one record: four different answers, one of each grade, in random order."""
    exercise = parse(instruction)
    answers: dict[str, str] = {}
    for grade in GRADES:
        text = answer(exercise, grade, rng)
        while text in answers.values():
            text = answer(exercise, grade, rng)
        answers[grade] = text
    grades = rng.sample(list(GRADES), len(GRADES))
    return {
        "source": SOURCE,
        "instruction": instruction,
        "models": [f"sample/{grade}" for grade in grades],
        "completions": [_completion(instruction, grade, answers[grade]) for grade in grades],
        "correct_answers": [exercise.facts.answer],
        "incorrect_answers": list(exercise.facts.wrong),
    }


def _completion(instruction: str, grade: str, response: str) -> dict[str, Any]:
    verdict = judge(instruction, response)
    ratings = [verdict.rating(aspect) for aspect in ASPECTS]
    return {
        "model": f"sample/{grade}",
        "response": response,
        "annotations": {aspect: _annotation(verdict, aspect) for aspect in ASPECTS},
        "fine-grained_score": sum(ratings) / len(ratings),
        "overall_score": verdict.overall,
        "critique": verdict.critique,
    }


def _annotation(verdict: Verdict, aspect: str) -> dict[str, str]:
    rating = verdict.rating(aspect)
    rationale = f"It {_REMARKS[aspect][rating - 1]} {_OBJECTS[aspect]}."
    return {"Rating": str(rating), "Rationale": rationale}
