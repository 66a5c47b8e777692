"""What one sentence of an answer claims: the thing it speaks of, and the answer it gives."""

from __future__ import annotations

import re

from prefrun_ultrafeedback.facts import Facts
from prefrun_ultrafeedback.tasks import Exercise
from prefrun_ultrafeedback.words import CONTENT, FRAME, NUMBER_WORDS

TOKEN = re.compile(r"-?\d+|[A-Za-z]+(?:'[a-z]+)?")
"""A word or a whole number."""

MARKER = re.compile(r"\b(?:is|are|equals|makes|it's)\b|[=:]", re.IGNORECASE)
"""What stands between a subject and what is said of it."""
_NEGATION = re.compile(r"\b(?:not|no|never|isn't|aren't|don't|false|wrong)\b", re.IGNORECASE)
_ARTICLES = ("the", "a", "an")
_NOUNS = ("word", "words", "letter", "letters", "number", "numbers")
_SUBJECTS = ("", "it", "answer", "right answer", "correct answer")
_RELATION_WORDS = """
first last larger largest smaller smallest more less greater most least opposite reverse sum plus
total capital capitals
"""
_RELATIONS = frozenset(_RELATION_WORDS.split())


def split_claim(exercise: Exercise, sentence: str) -> tuple[str, str]:
    """Return what SENTENCE speaks of, '' if it does not say, and what it says of it, in plain form.

    Understands 'the sum is 7', '7 is the sum' and '7'. A denial, or a statement about something
    else than the question, is returned as 'not ...'.
    """
    kind = exercise.facts.kind
    marker = MARKER.search(sentence)
    if not marker:
        subject, claim = "", plain(sentence, kind)
    else:
        subject, after = sentence[: marker.start()], sentence[marker.end() :]
        turned, claim = plain(subject, kind), plain(after, kind)
        if on_topic(turned, exercise.facts) and is_usual(exercise, after):
            subject, claim = after, turned
    if _NEGATION.search(sentence) or not _is_about(exercise, subject):
        claim = f"not {claim}"
    return subject, claim


def plain(claim: str, kind: str) -> str:
    """Return CLAIM without article, noun, quotes and upper case; number words as digits."""
    words = TOKEN.findall(claim)
    if kind == "numbers":
        words = [word for word in words if word.lower() != "and"]
    for fillers in (_ARTICLES, _NOUNS):
        if len(words) > 1 and words[0].lower() in fillers:
            words = words[1:]
    if len(words) > 1 and words[-1].lower() in _NOUNS:
        words = words[:-1]
    if kind in ("number", "numbers"):
        words = [NUMBER_WORDS.get(word.lower(), word) for word in words]
    joined = " ".join(words)
    return joined if kind == "capitals" else joined.lower()


def normalise(text: str) -> str:
    """Return the words of TEXT, lower case, one space between them."""
    return " ".join(TOKEN.findall(text)).lower()


def on_topic(claim: str, facts: Facts) -> bool:
    """Return whether CLAIM is the kind of thing that was asked for, right or wrong."""
    words = claim.split()
    if facts.kind == "numbers":
        return len(words) > 1 and all(re.fullmatch(r"\d{1,4}", word) for word in words)
    if len(words) != 1:
        return False
    if facts.kind == "number":
        return re.fullmatch(r"\d{1,4}", claim) is not None
    if facts.kind == "letter":
        return len(claim) == 1 and claim.isalpha()
    return claim.lower() in CONTENT or claim in (facts.answer, *facts.wrong)


def is_usual(exercise: Exercise, subject: str) -> bool:
    """Return whether SUBJECT is how one speaks of what was asked, not just words of it."""
    words = normalise(subject).removeprefix("the ").strip()
    phrases = (exercise.facts.subject, exercise.question)
    return words in _SUBJECTS or any(f" {words} " in f" {normalise(text)} " for text in phrases)


def is_small_talk(claim: str, facts: Facts) -> bool:
    """Return whether CLAIM, said without a subject, is no answer but something like 'Sure'."""
    words = claim.lower().split()
    return not on_topic(claim, facts) and (len(words) > 3 or set(words) <= FRAME)


def _is_about(exercise: Exercise, subject: str) -> bool:
    """Return whether SUBJECT, if it names a thing or a relation, names those of the question."""
    words = {NUMBER_WORDS.get(word, word) for word in normalise(subject).split()}
    asked = set(normalise(exercise.question).split()) | exercise.facts.relations
    numbers = {word for word in words if word.lstrip("-").isdigit()}
    return not ((words & (CONTENT | _RELATIONS)) | numbers) - asked
