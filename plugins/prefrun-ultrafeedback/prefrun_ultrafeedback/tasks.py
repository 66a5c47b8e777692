"""The sample's exercises: short instructions whose text alone says what the right answer is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from prefrun.errors import DataError
from prefrun_ultrafeedback import facts
from prefrun_ultrafeedback.facts import Facts
from prefrun_ultrafeedback.words import OPPOSITES, WORDS

STYLES = {
    "only": "Give only the answer.",
    "sentence": "Answer in a full sentence.",
    "reason": "Give a short reason.",
    "label": "Begin with 'Answer:'.",
}
"""How the answer is to be written, by name; the last sentence of every instruction."""


@dataclass(frozen=True, slots=True)
class Task:
    """One kind of question."""

    name: str
    pattern: re.Pattern[str]
    """Matches a whole question; its groups are what `solve` gets."""
    draw: Callable[[Random], str]
    solve: Callable[..., Facts]


@dataclass(frozen=True, slots=True)
class Exercise:
    """An instruction, understood."""

    task: str
    question: str
    style: str
    """A key of STYLES."""
    facts: Facts


def _list(rng: Random, low: int, high: int) -> str:
    return ", ".join(rng.sample(WORDS, rng.randint(low, high)))


def _numbers(rng: Random, highest: int, count: int) -> list[int]:
    return rng.sample(range(1, highest + 1), count)


def _task(
    name: str, pattern: str, draw: Callable[[Random], str], solve: Callable[..., Facts]
) -> Task:
    return Task(name, re.compile(pattern), draw, solve)


_WORD_LIST, _NUMBER_LIST = r"([a-z]+(?:, [a-z]+)+)", r"(\d+(?:, \d+)+)"
_SPOKEN_PAIR = "Which number is {}, {} or {}?"

TASKS = (
    _task(
        "copy",
        r"Repeat the word ([a-z]{2,})\.",
        lambda rng: f"Repeat the word {rng.choice(WORDS)}.",
        facts.copied,
    ),
    _task(
        "capitals",
        r"Write the word ([a-z]{2,}) in capital letters\.",
        lambda rng: f"Write the word {rng.choice(WORDS)} in capital letters.",
        facts.capitals,
    ),
    _task(
        "letter",
        r"What is the (first|last) letter of ([a-z]{2,})\?",
        lambda rng: f"What is the {rng.choice(('first', 'last'))} letter of {rng.choice(WORDS)}?",
        facts.letter,
    ),
    _task(
        "place",
        rf"Which word is (first|last) in this list: {_WORD_LIST}\?",
        lambda rng: (
            f"Which word is {rng.choice(('first', 'last'))} in this list: {_list(rng, 3, 4)}?"
        ),
        facts.place,
    ),
    _task(
        "compare",
        r"Which number is (larger|smaller), (\d+) or (\d+)\?",
        lambda rng: _SPOKEN_PAIR.format(rng.choice(("larger", "smaller")), *_numbers(rng, 99, 2)),
        facts.compared,
    ),
    _task(
        "sort",
        rf"Sort these numbers: {_NUMBER_LIST}\.",
        lambda rng: f"Sort these numbers: {', '.join(map(str, _numbers(rng, 20, 3)))}.",
        facts.sorted_numbers,
    ),
    _task(
        "sum",
        r"What is (\d+) \+ (\d+)\?",
        lambda rng: f"What is {rng.randrange(10)} + {rng.randrange(10)}?",
        facts.total,
    ),
    _task(
        "count",
        rf"How many words are in this list: {_WORD_LIST}\?",
        lambda rng: f"How many words are in this list: {_list(rng, 2, 6)}?",
        facts.counted,
    ),
    _task(
        "opposite",
        rf"What is the opposite of ({'|'.join(sorted(w for pair in OPPOSITES for w in pair))})\?",
        lambda rng: f"What is the opposite of {rng.choice(rng.choice(OPPOSITES))}?",
        facts.opposite,
    ),
)
"""All kinds of questions, equally frequent."""


def draw_instruction(rng: Random) -> str:
    """Return a random instruction: a question of any task, then a style."""
    return f"{rng.choice(TASKS).draw(rng)} {rng.choice(list(STYLES.values()))}"


def parse(instruction: str) -> Exercise:
    """Return what INSTRUCTION asks. Raises DataError where it is none of this sample's."""
    for style, sentence in STYLES.items():
        question = instruction.strip().removesuffix(f" {sentence}")
        if question == instruction.strip():
            continue
        for task in TASKS:
            if found := task.pattern.fullmatch(question):
                return Exercise(task.name, question, style, task.solve(*found.groups()))
    raise DataError(
        f"the sample's judge does not know the instruction {instruction!r}",
        field="instruction",
        remedy="judge only prompts of data.source=sample, or choose another reward",
    )
