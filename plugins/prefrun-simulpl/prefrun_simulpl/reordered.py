"""A generated language pair with word reordering: every word has one translation, in two orders.

A source sentence is LENGTH random words. The monotone translation keeps their order; the reordered
one swaps the words of each block of two, so that the second source word is needed first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from random import Random
from typing import Any

from prefrun.errors import DataError

DICTIONARY = {
    "bal": "rosk",
    "dem": "sint",
    "fir": "tull",
    "gon": "vask",
    "hup": "welm",
    "jat": "yorn",
    "kes": "zeft",
    "lim": "brod",
    "mov": "clun",
    "nup": "drig",
    "pax": "flem",
    "qor": "grat",
}
"""Translation of each source word."""
LENGTH = 8
TRAIN, TEST = 4000, 200


def monotone(words: Sequence[str]) -> list[str]:
    """Return the translation in source order. Raises DataError for a word of another language."""
    for word in words:
        if word not in DICTIONARY:
            raise DataError(
                f"the generated language has no word '{word}'",
                field="de",
                remedy=f"use its words: {', '.join(DICTIONARY)}",
            )
    return [DICTIONARY[word] for word in words]


def reordered(words: Sequence[str]) -> list[str]:
    """Return the translation with the words of each block of two swapped."""
    straight = monotone(words)
    return [straight[place] for place in swapped(len(straight))]


def swapped(length: int) -> list[int]:
    """Return 1, 0, 3, 2, ...; the last place stays where LENGTH is odd."""
    return [place ^ 1 if place ^ 1 < length else place for place in range(length)]


def records(count: int, *, held_out: bool) -> list[dict[str, Any]]:
    """Return COUNT records with different sources, always the same ones.

    Training references are monotone or reordered at random, so a model learns both orders; held-out
    references are monotone, as the chosen translations are. A chosen word is written once its
    source word is read, a rejected one a word later.
    """
    rng = Random(f"prefrun/reordered {held_out}")
    found: dict[str, dict[str, Any]] = {}
    while len(found) < count:
        words = rng.choices(list(DICTIONARY), k=LENGTH)
        source = " ".join(words)
        if is_held_out(source) == held_out:
            flip = not held_out and rng.random() < 0.5
            found[source] = {
                "de": source,
                "en": " ".join(reordered(words) if flip else monotone(words)),
                "chosen": " ".join(monotone(words)),
                "rejected": " ".join(reordered(words)),
                "chosen_delays": list(range(1, LENGTH + 1)),
                "rejected_delays": [min(place + 2, LENGTH) for place in range(LENGTH)],
            }
    return list(found.values())


def is_held_out(source: str) -> bool:
    """Return whether SOURCE belongs to the test part: one in five does."""
    return hashlib.sha256(source.encode()).digest()[0] % 5 == 0
