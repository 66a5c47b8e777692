"""Instructions that a program can check, with parameters read off an answer.

The idea is MAPL's (arXiv 2505.12845): whether an answer fits a prompt is known without a judge, and
the answer is not edited.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

_WORDS = re.compile(r"\w+")
ABSENT = ("certainly", "however", "indeed", "moreover", "perhaps", "therefore")
"""Words to ask for or to forbid where the answers lack them."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction, and whether a text follows it."""

    kind: str
    text: str
    check: Callable[[str], bool]


def words(text: str) -> list[str]:
    """The words of TEXT, in lower case."""
    return _WORDS.findall(text.lower())


def at_most_words(limit: int) -> Instruction:
    """No more than LIMIT words."""
    return Instruction(
        "max_words", f"Use at most {limit} words.", lambda text: len(words(text)) <= limit
    )


def at_least_words(limit: int) -> Instruction:
    """No fewer than LIMIT words."""
    return Instruction(
        "min_words", f"Use at least {limit} words.", lambda text: len(words(text)) >= limit
    )


def include(word: str) -> Instruction:
    """WORD occurs."""
    return Instruction("include", f'Use the word "{word}".', lambda text: word in words(text))


def exclude(word: str) -> Instruction:
    """WORD does not occur."""
    return Instruction(
        "exclude", f'Do not use the word "{word}".', lambda text: word not in words(text)
    )


def start_with(word: str) -> Instruction:
    """The first word is WORD."""
    return Instruction(
        "start", f'Begin with the word "{word}".', lambda text: words(text)[:1] == [word]
    )


def end_with(word: str) -> Instruction:
    """The last word is WORD."""
    return Instruction(
        "end", f'End with the word "{word}".', lambda text: words(text)[-1:] == [word]
    )


def candidates(answers: Sequence[str], draw: Random) -> list[Instruction]:
    """Instructions with parameters near what ANSWERS look like, in random order."""
    found: list[Instruction] = []
    vocabulary = sorted({word for answer in answers for word in words(answer)} | set(ABSENT))
    for count in sorted({len(words(answer)) for answer in answers}):
        found += [at_most_words(count), at_most_words(max(1, count // 2))]
        found += [at_least_words(count), at_least_words(2 * count + 1)]
    for word in vocabulary:
        found += [include(word), exclude(word)]
    ends = [(words(answer)[:1], words(answer)[-1:]) for answer in answers]
    for first, last in ends:
        found += [start_with(word) for word in (*first, draw.choice(ABSENT))]
        found += [end_with(word) for word in (*last, draw.choice(ABSENT))]
    draw.shuffle(found)
    return found


def matched(answer: str, count: int, draw: Random) -> tuple[list[Instruction], list[Instruction]]:
    """COUNT instructions that ANSWER follows, and the same kinds again, one of which it breaks.

    Fewer, or none, where the answer does not allow that many. The first pair is the broken one.
    """
    by_kind: dict[str, dict[bool, Instruction]] = {}
    for item in candidates([answer], draw):
        by_kind.setdefault(item.kind, {}).setdefault(item.check(answer), item)
    usable = [pair for pair in by_kind.values() if len(pair) == 2]
    draw.shuffle(usable)
    chosen = _compatible(usable, count)
    kept = [pair[True] for pair in chosen]
    return kept, [pair[number != 0] for number, pair in enumerate(chosen)]


def telling(fits: str, fails: str, draw: Random) -> Instruction | None:
    """An instruction that one answer follows and the other does not; None where there is none."""
    found = candidates([fits, fails], draw)
    return next((item for item in found if item.check(fits) and not item.check(fails)), None)


def _compatible(
    usable: Sequence[dict[bool, Instruction]], count: int
) -> list[dict[bool, Instruction]]:
    """Up to COUNT of USABLE, at most one about length: two limits could contradict each other."""
    chosen: list[dict[bool, Instruction]] = []
    for pair in usable:
        about_length = pair[True].kind.endswith("_words")
        if about_length and any(other[True].kind.endswith("_words") for other in chosen):
            continue
        if len(chosen) < count:
            chosen.append(pair)
    return chosen
