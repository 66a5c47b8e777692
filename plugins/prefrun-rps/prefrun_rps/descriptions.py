"""The language of data=control_codes: descriptions of a thing, a list of adjectives.

Two objectives in [0, 1], exactly judged: `length` is the description's length bucket, `positivity`
the part of its words that are positive ones. Standard library only.
"""

from __future__ import annotations

import math
from random import Random

OBJECTIVES = ("length", "positivity")
WORDS_PER_BUCKET, BUCKETS = 2, 10
"""A description of 20 words or more is in the highest bucket."""

POSITIVE = (
    *("happy", "sweet", "kind", "brave", "clean", "pretty", "safe", "rich", "strong", "good"),
    *("great", "glad"),
)
NEUTRAL = (
    *("old", "new", "big", "little", "hard", "soft", "wet", "dry", "full", "empty", "open"),
    *("closed", "light", "dark", "thick", "thin", "wide", "narrow", "deep", "shallow"),
)
THINGS = (
    *("lamp", "house", "boat", "garden", "bridge", "clock", "coat", "table", "river", "kitchen"),
    *("market", "window", "piano", "tower", "street", "jacket", "mirror", "island", "school"),
    *("shop", "bottle", "basket", "carpet", "engine", "forest", "wagon", "pillow", "lake"),
    *("field", "roof", "chair", "desk", "candle", "fence", "hat", "kite", "ladder", "map"),
    *("nest", "oven", "pocket", "pond", "ring", "road", "rock", "sail", "shirt", "spoon"),
)
HELD_OUT = THINGS[::2]
"""Things that are described in held-out prompts only."""
TRAINED = THINGS[1::2]


def request(thing: str) -> str:
    """Return the prompt."""
    return f"Describe the {thing}."


def judge(description: str) -> tuple[float, float]:
    """Return (length, positivity) of a DESCRIPTION, each in [0, 1]; (0, 0) without any word.

    Words stand between commas; what is no known word counts for the length's bucket neither for
    nor against, but is a word that is not positive.
    """
    words = [word.strip(" .").lower() for word in description.split(",")]
    words = [word for word in words if word]
    if not words:
        return 0.0, 0.0
    known = sum(word in POSITIVE or word in NEUTRAL for word in words)
    length = min(known // WORDS_PER_BUCKET, BUCKETS) / BUCKETS
    return length, sum(word in POSITIVE for word in words) / len(words)


def describe(length: float, positivity: float, random: Random) -> str:
    """Return a description whose objectives are as near to LENGTH and POSITIVITY as words allow."""
    bucket = round(max(0.0, min(1.0, length)) * BUCKETS)
    count = max(1, bucket * WORDS_PER_BUCKET)
    positive = round(max(0.0, min(1.0, positivity)) * count)
    words = random.choices(POSITIVE, k=positive) + random.choices(NEUTRAL, k=count - positive)
    random.shuffle(words)
    return ", ".join(words) + "."


def on_direction(degrees: float, quality: float, random: Random) -> str:
    """Return a description with objectives near QUALITY * (cos, sin) of the angle in DEGREES."""
    radians = math.radians(degrees)
    return describe(quality * math.cos(radians), quality * math.sin(radians), random)
