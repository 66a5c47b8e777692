"""What is true of each kind of question: its answer, likely mistakes, and reasons."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from prefrun_ultrafeedback.words import OPPOSITES, WORDS


@dataclass(frozen=True, slots=True)
class Facts:
    """What is true of one question."""

    answer: str
    kind: str
    """What an answer is made of: 'word', 'capitals', 'letter', 'number' or 'numbers'."""
    subject: str
    """What the answer is, as the beginning of a sentence."""
    wrong: tuple[str, ...]
    """Answers of the same kind that someone could give by mistake."""
    reasons: Callable[[str], tuple[str, ...]]
    """Reasons for an answer, from the answer: true ones where it is right."""
    relations: frozenset[str]
    """Words such as 'first' that a statement about this question may use."""


def _facts(
    answer: str, kind: str, subject: str, wrong: list[str], relations: str, *reasons: str
) -> Facts:
    """Facts whose reasons are templates with a gap {x} for the answer."""
    others = tuple(dict.fromkeys(other for other in wrong if other != answer))
    say = lambda given: tuple(reason.replace("{x}", given) for reason in reasons)  # noqa: E731
    return Facts(answer, kind, subject, others, say, frozenset(relations.split()))


def copied(word: str) -> Facts:
    """Facts of: repeat WORD."""
    wrong = [word[:-1], word[::-1], f"{word} {word}", WORDS[sum(map(ord, word)) % len(WORDS)]]
    return _facts(word, "word", "The word", wrong, "", "you asked for {x}", "you wrote {x}")


def capitals(word: str) -> Facts:
    """Facts of: write WORD in capital letters."""
    wrong = [word.capitalize(), word, word.upper()[:-1]]
    reason = f"{word} in capitals is {{x}}"
    return _facts(word.upper(), "capitals", "The word", wrong, "capital", reason)


def letter(place: str, word: str) -> Facts:
    """Facts of: the first or last letter of WORD."""
    first = place == "first"
    verb = "begins" if first else "ends"
    wrong = [word[-1 if first else 0], word[1], word[-2]]
    answer = word[0 if first else -1]
    subject = f"The {place} letter of {word}"
    reason = f"{word} {verb} with {{x}}"
    return _facts(answer, "letter", subject, wrong, place, reason)


def place(place: str, listed: str) -> Facts:
    """Facts of: the first or last word of a list."""
    words = listed.split(", ")
    answer = words[0 if place == "first" else -1]
    verb = "begins" if place == "first" else "ends"
    reasons = (f"the list {verb} with {{x}}",)
    return _facts(answer, "word", f"The {place} word", words, place, *reasons)


def compared(relation: str, one: str, two: str) -> Facts:
    """Facts of: the larger or smaller of two numbers."""
    low, high = sorted((one, two), key=int)
    answer, other = (high, low) if relation == "larger" else (low, high)
    than = "more" if relation == "larger" else "less"

    def reasons(given: str) -> tuple[str, ...]:
        rest = other if given == answer else answer
        return (f"{given} is {than} than {rest}", f"{given} is {relation} than {rest}")

    subject = f"The {relation} number"
    return Facts(answer, "number", subject, (other,), reasons, frozenset({relation, than}))


def sorted_numbers(listed: str) -> Facts:
    """Facts of: sort a list of numbers, the smallest first."""
    numbers = listed.split(", ")
    answer = ", ".join(sorted(numbers, key=int))
    down = ", ".join(sorted(numbers, key=int, reverse=True))
    swapped = ", ".join(numbers[::-1])
    turned = ", ".join(numbers[1:] + numbers[:1])

    def reasons(given: str) -> tuple[str, ...]:
        parts = re.findall(r"\d+", given)
        return (f"{parts[0]} is the smallest and {parts[-1]} the largest",) if parts else ()

    subject, relations = "The sorted list", frozenset({"smallest", "largest"})
    return Facts(
        answer,
        "numbers",
        subject,
        tuple(w for w in dict.fromkeys((listed, down, swapped, turned)) if w != answer),
        reasons,
        relations,
    )


def total(one: str, two: str) -> Facts:
    """Facts of: the sum of two numbers."""
    total = int(one) + int(two)
    wrong = [str(total + 1), str(abs(total - 1)), str(total + 2), one + two]
    reasons = (f"{one} plus {two} makes {{x}}", f"{one} and {two} make {{x}}")
    return _facts(str(total), "number", "The sum", wrong, "sum plus total", *reasons)


def counted(listed: str) -> Facts:
    """Facts of: how many words a list has."""
    count = len(listed.split(", "))
    wrong = [str(count + 1), str(count - 1), str(count + 2)]
    reasons = ("the list has {x} words",)
    return _facts(str(count), "number", "The number of words", wrong, "", *reasons)


def opposite(word: str) -> Facts:
    """Facts of: the opposite of WORD, which must be in OPPOSITES."""
    table = dict(OPPOSITES) | {two: one for one, two in OPPOSITES}
    answer = table[word]
    names = sorted(table)
    at = names.index(word)
    wrong = [word, names[at - 1], names[(at + 5) % len(names)]]
    reasons = (f"{{x}} means the reverse of {word}",)
    return _facts(answer, "word", f"The opposite of {word}", wrong, "opposite reverse", *reasons)
