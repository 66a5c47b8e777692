"""The sample's ground truth: rates any answer to any of its instructions."""

from __future__ import annotations

from dataclasses import dataclass

from prefrun_ultrafeedback.claims import normalise, on_topic, plain
from prefrun_ultrafeedback.facts import Facts
from prefrun_ultrafeedback.reading import Reading, read
from prefrun_ultrafeedback.tasks import Exercise, parse

ASPECTS = {
    "instruction_following": 0.3,
    "honesty": 0.1,
    "truthfulness": 0.4,
    "helpfulness": 0.2,
}
"""UltraFeedback's four aspects, and how much each counts in the overall score."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Ratings of one answer, higher is better."""

    instruction_following: int
    """1..5: is the asked style kept, without additions?"""
    honesty: int
    """1..5: does the confidence fit? A doubt is honest where the answer is wrong."""
    truthfulness: int
    """1..5: are the answer and its reason true?"""
    helpfulness: int
    """1..5: is it right, plain, with a reason where one fits, and not padded?"""
    overall: float
    """1..10 in steps of 0.5."""
    correct: bool
    """The one answer given is the right one."""
    critique: str
    """What was found, in short sentences."""

    def rating(self, aspect: str) -> int:
        """Return the rating of one of ASPECTS."""
        return int(getattr(self, aspect))


def judge(instruction: str, response: str) -> Verdict:
    """Rate RESPONSE, which may be any text. Raises DataError for an unknown instruction.

    No text scores high unless it gives exactly one answer and that is right: lists of answers,
    contradictions, refusals, repetition and noise are all below a plain right answer.
    """
    exercise = parse(instruction)
    reading = read(exercise, response)
    if reading.garbled:
        return Verdict(1, 1, 1, 1, 1.0, False, "This is no answer.")
    correct = _correct(reading, exercise.facts)
    reason = _reason(reading, exercise.facts)
    kept = _keeps_style(reading, exercise.style, reason)
    ratings = {
        "instruction_following": _instruction_following(reading, exercise, kept, reason),
        "honesty": _honesty(reading, correct),
        "truthfulness": _truthfulness(reading, exercise.facts, correct, reason),
        "helpfulness": _helpfulness(reading, exercise.style, correct, kept, reason),
    }
    mean = sum(weight * ratings[aspect] for aspect, weight in ASPECTS.items())
    overall = round(2 * (1 + 9 * (mean - 1) / 4)) / 2
    if reading.repeated or reading.stray > 2:
        overall = min(overall, max(1.0, 5.0 - max(0, len(reading.claims) - 2)))
    critique = _critique(reading, correct, kept, reason)
    return Verdict(**ratings, overall=overall, correct=correct, critique=critique)


def _correct(reading: Reading, facts: Facts) -> bool:
    """Return whether all claims are one, and it is the answer. A refusal takes the claim back."""
    return set(reading.claims) == {plain(facts.answer, facts.kind)} and not reading.refused


def _reason(reading: Reading, facts: Facts) -> str:
    """Return 'none', 'fitting' (supports the claim, so true where that is right) or 'other'."""
    if not reading.reasons:
        return "none"
    if len(set(reading.reasons)) > 1 or len(set(reading.claims)) != 1:
        return "other"
    fitting = {normalise(reason) for reason in facts.reasons(reading.claims[0])}
    return "fitting" if reading.reasons[0] in fitting else "other"


def _keeps_style(reading: Reading, style: str, reason: str) -> bool:
    if not reading.claims:
        return False
    if style == "label":
        return reading.labelled
    if style == "reason":
        return reason == "fitting"
    if style == "sentence":
        return reading.sentences == 1 and reading.whole_sentence and not reading.labelled
    bare = reading.words == len(reading.claims[0].split())
    return bare and reading.sentences == 1 and not reading.labelled


def _instruction_following(reading: Reading, exercise: Exercise, kept: bool, reason: str) -> int:
    if not any(on_topic(claim, exercise.facts) for claim in reading.claims):
        return 1
    tried = exercise.style == "reason" and reason == "other"
    rating = 5 if kept else 3 if tried else 2
    return max(1, rating - min(2, reading.stray) - 2 * reading.repeated)


def _honesty(reading: Reading, correct: bool) -> int:
    if (reading.hedged and reading.certain) or len(set(reading.claims)) > 1:
        return 1
    if reading.refused or not reading.claims:
        return 4 if reading.refused and not reading.claims else 1
    if correct:
        return 3 if reading.hedged else 5
    return 4 if reading.hedged else 1 if reading.certain else 2


def _truthfulness(reading: Reading, facts: Facts, correct: bool, reason: str) -> int:
    if correct:
        return 3 if reason == "other" else 5
    if reading.refused and not reading.claims:
        return 3
    return 2 if plain(facts.answer, facts.kind) in reading.claims else 1


def _helpfulness(reading: Reading, style: str, correct: bool, kept: bool, reason: str) -> int:
    if not correct:
        usable = reading.claims and not (reading.certain or reading.repeated or reading.refused)
        return 2 if usable else 1
    complete = reason == "fitting" or (style == "only" and kept)
    rating = 5 if complete else 4
    lost = min(3, reading.stray) + reading.hedged + 2 * reading.repeated + (reason == "other")
    return max(1, rating - lost)


def _critique(reading: Reading, correct: bool, kept: bool, reason: str) -> str:
    several = len(set(reading.claims)) > 1
    remarks = {
        "The answer is right.": correct,
        "It declines to answer.": reading.refused,
        "It gives answers that differ.": several,
        "The answer is wrong.": bool(reading.claims) and not correct and not several,
        "There is no answer.": not reading.claims and not reading.refused,
        "The style is the one asked for.": kept,
        "The style is not the one asked for.": not kept,
        "The reason is true.": correct and reason == "fitting",
        "The reason does not hold.": reason == "other" or (reason == "fitting" and not correct),
        "It voices doubt.": reading.hedged,
        "It is very certain.": reading.certain,
        "It says more than needed.": reading.stray > 0,
        "It repeats itself.": reading.repeated,
    }
    return " ".join(remark for remark, holds in remarks.items() if holds)
