"""What an answer says: its claim, its reason, its confidence, its form. Reads any text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import groupby, pairwise

from prefrun_ultrafeedback.claims import (
    MARKER,
    TOKEN,
    is_small_talk,
    is_usual,
    normalise,
    split_claim,
)
from prefrun_ultrafeedback.tasks import Exercise
from prefrun_ultrafeedback.words import CONTENT, FRAME, NUMBER_WORDS

LONGEST = 45
"""Words; nothing longer is an answer to a question this short."""

WORDY = 20
"""Words; the best answers have at most 17."""

# A sign that answers do not have, or one after another.
_STRANGE = re.compile(r"""[^A-Za-z0-9\s.,;:!?'"()+=-]|(?<=[.,;:!?+=-])\s*[.,;:!?+=-]""")
_GAP = re.compile(r"\n\s*\n|\s{3,}")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_BECAUSE = re.compile(r",?\s*\bbecause\b\s*", re.IGNORECASE)
_HEDGE = re.compile(
    r"\b(?:i think|i guess|i am not sure(?:,? but)?|not sure(?:,? but)?|maybe|perhaps|probably"
    r"|it may be|may be)\b,?",
    re.IGNORECASE,
)
_CERTAIN = re.compile(
    r"\b(?:certainly|definitely|surely|without doubt|no doubt|i am sure(?: that)?|of course)\b,?",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"\b(?:do not|don't|cannot|can't) (?:know|say|tell)\b|\bno idea\b", re.IGNORECASE
)
_KNOWN = FRAME | CONTENT | NUMBER_WORDS.keys()


@dataclass(slots=True)
class Reading:
    """One answer to one exercise, as far as a judge needs to know it."""

    claims: list[str] = field(default_factory=list)
    """Every answer it commits to, in plain form."""
    reasons: list[str] = field(default_factory=list)
    labelled: bool = False
    """It begins with 'Answer:'."""
    whole_sentence: bool = False
    """It has a subject and a verb."""
    sentences: int = 0
    words: int = 0
    hedged: bool = False
    certain: bool = False
    refused: bool = False
    stray: int = 0
    """How many things it says that are no part of an answer, unknown words and signs included."""
    repeated: bool = False
    """It says something twice."""
    garbled: bool = False
    """It is no language, or does not end."""


def read(exercise: Exercise, response: str) -> Reading:
    """Return what RESPONSE, any text, says about EXERCISE."""
    reading = Reading()
    text = response.strip()
    words = [word.lower() for word in TOKEN.findall(text)]
    reading.words = len(words)
    unknown = _unknown(exercise, words) + len(_STRANGE.findall(text))
    reading.garbled = (
        not words or len(words) > LONGEST or unknown > 0.4 * len(words) or _loops(words)
    )
    if reading.garbled:
        return reading
    reading.stray = unknown + len(_GAP.findall(text)) + max(0, len(words) - WORDY + 9) // 10
    reading.labelled = text.startswith("Answer:")
    parts = [part.removeprefix("Answer:").strip() for part in _SENTENCE_END.split(text)]
    parts = [part for part in parts if part]
    reading.sentences = len(parts)
    for part in parts:
        _read_sentence(exercise, part, reading)
    said = [" ".join(TOKEN.findall(part)).lower() for part in parts]
    reading.repeated = (
        len(reading.claims) > len(set(reading.claims))
        or len(set(said)) < len(said)
        or len(_HEDGE.findall(text)) > 1
        or len(_CERTAIN.findall(_HEDGE.sub(" ", text))) > 1
        or _repeats(words, exercise)
    )
    return reading


def _read_sentence(exercise: Exercise, sentence: str, reading: Reading) -> None:
    """Add what one SENTENCE says to READING."""
    if _REFUSAL.search(sentence):
        reading.refused = True
        return
    if sentence.rstrip().endswith("?"):
        reading.stray += 1
        return
    written = sentence[:1].isupper() and sentence[-1] in ".!"
    main, *reasons = _BECAUSE.split(sentence)
    reading.reasons += [normalise(reason) for reason in reasons]
    reading.hedged |= bool(_HEDGE.search(main))
    reading.certain |= bool(_CERTAIN.search(_HEDGE.sub(" ", main)))
    main = _CERTAIN.sub(" ", _HEDGE.sub(" ", main)).strip()
    if not TOKEN.search(main):
        return
    subject, claim = split_claim(exercise, main)
    if not subject and is_small_talk(claim, exercise.facts):
        reading.stray += 1
        return
    reading.claims.append(claim)
    if not is_usual(exercise, subject):
        reading.stray += 1 + len(TOKEN.findall(subject)) // 4
    reading.stray += max(0, len(MARKER.findall(main)) - 1)
    reading.whole_sentence |= written and bool(TOKEN.search(subject))


def _unknown(exercise: Exercise, words: list[str]) -> int:
    """Return how many of WORDS are neither usual in answers nor words of the exercise."""
    facts = exercise.facts
    reasons = facts.reasons(facts.answer)
    expected = " ".join((exercise.question, facts.answer, *facts.wrong, *reasons))
    known = _KNOWN | set(normalise(expected).split())
    letters = facts.kind == "letter"
    return sum(
        word not in known
        and not (word.lstrip("-").isdigit() and len(word) <= 4)
        and not (letters and len(word) == 1)
        for word in words
    )


def _loops(words: list[str]) -> bool:
    """Return whether WORDS say one thing over and over."""
    longest = max(len(list(group)) for _, group in groupby(words))
    return longest >= 4 or (len(words) >= 12 and len(set(words)) < 0.34 * len(words))


def _repeats(words: list[str], exercise: Exercise) -> bool:
    """Return whether a word follows itself, or three words come twice (not the question's)."""
    asked = set(normalise(exercise.question).split())
    pairs = pairwise(words)
    twice = any(one == two and not (one.isdigit() and one in asked) for one, two in pairs)
    runs = list(zip(words, words[1:], words[2:], strict=False))
    return twice or any(runs.count(run) > 1 and not set(run) <= asked for run in set(runs))
