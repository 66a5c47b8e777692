"""Poorer and poorer versions of an answer, with less and less of its content."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from random import Random

from prefrun_augmented.rake import phrases


def without_keywords(text: str, keywords: Sequence[str], degrees: int) -> list[str]:
    """Return DEGREES versions of TEXT: version m lacks the first ceil(m P / (DEGREES - 1)).

    KEYWORDS are P phrases, the weightiest first; they are removed where they stand as whole words,
    in whatever case, and white space is collapsed. Version 0 is TEXT as it is.
    """
    texts = [text]
    for degree in range(1, degrees):
        left = text
        for phrase in keywords[: math.ceil(degree * len(keywords) / (degrees - 1))]:
            spaced = r"\s+".join(map(re.escape, phrase.split()))
            left = re.sub(rf"(?<!\w){spaced}(?!\w)", " ", left, flags=re.IGNORECASE)
        texts.append(" ".join(left.split()))
    return texts


def poorer(text: str, degrees: int, draw: Random | None = None) -> list[str]:
    """Return the versions 1 .. DEGREES - 1 of TEXT; none where they would not all differ.

    By its keyword phrases; with DRAW, the control, version m loses as many words, drawn by chance.
    """
    keywords = [phrase for phrase, _ in phrases(text)]
    versions = without_keywords(text, keywords, degrees)
    if draw is not None:
        words = text.split()
        lost = draw.sample(range(len(words)), len(words))
        counts = [len(words) - len(version.split()) for version in versions]
        versions = [text] + [
            " ".join(word for place, word in enumerate(words) if place not in lost[:count])
            for count in counts[1:]
        ]
    distinct = len(set(versions)) == degrees and all(version.strip() for version in versions)
    return versions[1:] if distinct else []
