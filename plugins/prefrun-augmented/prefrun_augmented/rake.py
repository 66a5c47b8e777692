"""RAKE: keyword phrases of a text (Rose, Engel, Cramer, Cowley, Text Mining 2010)."""

from __future__ import annotations

import re
from collections import Counter
from itertools import groupby

STOP_WORDS = frozenset(
    """a about above after again against all am an and any are as at be because been before being
    below between both but by can cannot could did do does doing down during each few for from
    further had has have having he her here hers herself him himself his how i if in into is it its
    itself just me more most my myself no nor not now of off on once only or other our ours
    ourselves out over own same she should so some such than that the their theirs them themselves
    then there these they this those through to too under until up very was we were what when where
    which while who whom why will with would you your yours yourself yourselves""".split()  # noqa: SIM905 - a list would fill a page
)
_TOKENS = re.compile(r"[\w'-]+|[^\w\s]")


def phrases(text: str) -> list[tuple[str, float]]:
    """Return TEXT's candidate phrases in lower case with their scores, best first.

    Phrases are what stands between stop words and punctuation. A word's score is its degree (words
    of all phrases it is in, itself included) over its frequency; a phrase's is the sum of its
    words'. Equal scores keep the order of the text, and each phrase comes once.
    """
    tokens = _TOKENS.findall(text.lower())
    runs = [
        list(run)
        for content, run in groupby(
            tokens, lambda word: word[0].isalnum() and word not in STOP_WORDS
        )
        if content
    ]
    frequency, degree = Counter[str](), Counter[str]()
    for run in runs:
        for word in run:
            frequency[word] += 1
            degree[word] += len(run)
    scores = {" ".join(run): sum(degree[w] / frequency[w] for w in run) for run in runs}
    return sorted(scores.items(), key=lambda item: -item[1])
