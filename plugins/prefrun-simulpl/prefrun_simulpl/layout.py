"""Lays a source and its translations out in one row, with what each place may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from prefrun_simulpl.vocabulary import END_ID, START_ID

SOURCE = 0
"""Branch number of the source; translations count from 1."""


@dataclass(slots=True)
class Row:
    """One sentence. Lists with one entry per place.

    A place of a translation holds the token before the one it predicts. Of each target token there
    is one lasting place, which later ones see; probes, which nothing else sees, ask what the model
    would do after fewer source words.
    """

    ids: list[int] = field(default_factory=list)
    branch: list[int] = field(default_factory=list)
    position: list[int] = field(default_factory=list)
    """Counted from 0 in the source and in each translation."""
    words: list[int] = field(default_factory=list)
    """Of a source place: the number of its word, from 1. Else: the source words it sees."""
    lasting: list[bool] = field(default_factory=list)

    def add(self, token: int, branch: int, position: int, words: int, lasting: bool) -> int:
        """Append a place and return its index."""
        self.ids.append(token)
        self.branch.append(branch)
        self.position.append(position)
        self.words.append(words)
        self.lasting.append(lasting)
        return len(self.ids) - 1


@dataclass(slots=True)
class Target:
    """One translation in a row: where its tokens are predicted, and what they are."""

    places: list[int]
    """Index of the place that predicts each token, the end of the sentence last."""
    tokens: list[int]
    seen: list[int]
    """Source words that each place sees."""
    reads: list[tuple[int, int]]
    """(token's number, place) of each probe at which the schedule read on."""
    grid: list[list[int]]
    """[T][S] place that predicts token t after j words; empty unless asked for. The end of the
    sentence has none."""


def source_row(source: Sequence[Sequence[int]]) -> Row:
    """Return a row that holds SOURCE, subword ids by word."""
    row = Row()
    for number, word in enumerate(source, 1):
        for token in word:
            row.add(token, SOURCE, len(row.ids), number, True)
    return row


def add_target(
    row: Row,
    branch: int,
    target: Sequence[Sequence[int]],
    seen: Sequence[int],
    *,
    source: int,
    probes: bool = False,
    min_source: int = 1,
    grid: bool = False,
) -> Target:
    """Append a translation to ROW.

    target: subword ids by word. seen: source words that each token's place sees, the end of the
    sentence last (`token_delays`). probes: add the places where this schedule read on: before token
    t those from g(t-1), at least MIN_SOURCE, to g(t) - 1; the end of the sentence is no such token.
    grid: add a place for every token and number of source words, out of SOURCE.
    """
    tokens = [*(token for word in target for token in word), END_ID]
    added = Target([], tokens, list(seen), [], [])
    before, words = START_ID, min(min_source, source)
    for number, (token, delay) in enumerate(zip(tokens, seen, strict=True)):
        added.places.append(row.add(before, branch, number, delay, True))
        known = {delay: added.places[-1]}
        is_end = number == len(tokens) - 1
        wanted = range(words, delay) if probes else range(0)
        for count in range(1, source + 1) if grid else wanted:
            if count not in known and not is_end:
                known[count] = row.add(before, branch, number, count, False)
        if not is_end:
            added.reads += [(number, known[count]) for count in wanted]
            if grid:
                added.grid.append([known[count] for count in range(1, source + 1)])
        before, words = token, max(words, delay)
    return added


def token_delays(delays: Sequence[int], target: Sequence[Sequence[int]], end: int) -> list[int]:
    """Return one delay per subword, that of its word, and END for the end of the sentence."""
    spread = [delay for delay, word in zip(delays, target, strict=True) for _ in word]
    return [*spread, end]
