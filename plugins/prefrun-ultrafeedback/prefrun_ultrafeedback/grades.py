"""Writes answers of a chosen quality to an exercise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from prefrun_ultrafeedback.tasks import STYLES, Exercise

REFUSAL = "I do not know."


@dataclass(frozen=True, slots=True)
class Manner:
    """How to answer."""

    right: bool = True
    style: str | None = None
    """A key of STYLES; None is the one asked for."""
    confidence: str = "plain"
    """'plain', 'doubt' or 'certain'."""
    reason: bool = False
    """Give a reason although the style does not ask for one."""
    padding: str = "none"
    """'none', 'greeting', 'closing' or 'echo' (states the answer once more)."""


def best(exercise: Exercise, rng: Random) -> Manner:
    """Right, and as asked; a reason or some certainty where the style leaves room."""
    if exercise.style == "only":
        return Manner()
    confidence = rng.choices(("plain", "certain"), (8, 1))[0]
    return Manner(confidence=confidence, reason=rng.random() < 0.4)


def good(exercise: Exercise, rng: Random) -> Manner:
    """Right, with one fault."""
    faults = (
        Manner(style=_other_style(exercise, rng)),
        Manner(style=_other_style(exercise, rng), reason=True),
        Manner(confidence="doubt"),
        Manner(confidence="doubt", reason=True),
        Manner(padding=rng.choice(("greeting", "closing"))),
    )
    return rng.choice(faults)


def fair(exercise: Exercise, rng: Random) -> Manner:
    """Right with two faults, or wrong but modest and as asked."""
    faults = (
        Manner(style=_other_style(exercise, rng), padding="echo"),
        Manner(confidence="doubt", padding="closing"),
        Manner(style=_other_style(exercise, rng), confidence="certain", padding="greeting"),
        Manner(right=False, confidence="doubt"),
        Manner(right=False, confidence="doubt", reason=True),
        Manner(right=False),
    )
    return rng.choice(faults)


def poor(exercise: Exercise, rng: Random) -> Manner:
    """Wrong, and often in another style, padded, or sure of it."""
    style = _other_style(exercise, rng) if rng.random() < 0.5 else None
    confidence = rng.choices(("plain", "certain", "doubt"), (2, 1, 1))[0]
    padding = rng.choices(("none", "greeting", "closing", "echo"), (5, 1, 1, 2))[0]
    return Manner(False, style, confidence, rng.random() < 0.4, padding)


GRADES: dict[str, Callable[[Exercise, Random], Manner]] = {
    "best": best,
    "good": good,
    "fair": fair,
    "poor": poor,
}
"""From the best to the worst, on the whole; chance makes them overlap."""


def answer(exercise: Exercise, grade: str, rng: Random) -> str:
    """Return an answer of GRADE, one of GRADES; now and then the poor one declines."""
    if grade == "poor" and rng.random() < 0.06:
        return REFUSAL
    return write(exercise, GRADES[grade](exercise, rng), rng)


def write(exercise: Exercise, manner: Manner, rng: Random) -> str:
    """Return an answer in MANNER."""
    facts = exercise.facts
    style = manner.style or exercise.style
    given = facts.answer if manner.right else rng.choice(facts.wrong)
    reasoned = style == "reason" or (manner.reason and style != "only")
    reason = f" because {rng.choice(facts.reasons(given))}" if reasoned else ""
    core = given if style == "only" else f"{facts.subject} is {given}"
    if style == "label" and not reasoned and rng.random() < 0.6:
        core = given
    core += reason
    if manner.confidence == "doubt":
        opening = rng.choice(("I think", "Maybe", "I am not sure, but"))
        core = f"{opening} {_lower_first(core, given)}"
    elif manner.confidence == "certain":
        core = f"Certainly, {_lower_first(core, given)}"
    stop = "" if core == given else "."
    text = f"Answer: {core}{stop}" if style == "label" else f"{core}{stop}"
    return _pad(text, given if style == "only" else f"{facts.subject} is {given}", manner.padding)


def _pad(text: str, statement: str, padding: str) -> str:
    stopped = text if text.endswith(".") else f"{text}."
    if padding == "greeting":
        return f"Thank you for asking. {text}"
    if padding == "closing":
        return f"{stopped} I hope this helps."
    if padding == "echo":
        return f"{stopped} {statement}."
    return text


def _lower_first(core: str, given: str) -> str:
    return core if core.startswith(given) else core[:1].lower() + core[1:]


def _other_style(exercise: Exercise, rng: Random) -> str:
    return rng.choice([style for style in STYLES if style != exercise.style])
