"""The decoding loop: rows that have ended make room for requests that wait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prefrun.policy.sampling.decoder import Decoder
from prefrun.policy.sampling.request import Drawn, Request, Rules
from prefrun.policy.sampling.row_cache import Prefilled
from prefrun.policy.sampling.stops import Stops
from prefrun.policy.sampling.table import Table

PADDING = 0.1
"""Share of a pass over prompts that may be padding, to make fewer passes."""


@dataclass(frozen=True, slots=True)
class _Begun:
    """Requests whose first token is drawn and that wait for a row."""

    prompts: Prefilled
    sources: Sequence[int]
    """Which prompt each request has."""
    table: Table


class Continuous:
    """Draws the completions of REQUESTS, up to ROWS at a time, in their order.

    A prompt goes through the model once for all neighbours among the requests that have it.
    """

    def __init__(
        self, decoder: Decoder, requests: Sequence[Request], rules: Rules, stops: Stops, rows: int
    ) -> None:
        self._decoder, self._requests, self._rules = decoder, requests, rules
        self._stops, self._rows = stops, rows
        self._table = Table(rows, rules, stops, decoder.device)
        self._next = 0
        """The first request that has not begun."""
        self._begun: _Begun | None = None
        self._drawn: dict[int, Drawn] = {}

    def run(self) -> list[Drawn]:
        """Return a completion per request."""
        active = self._renew_rows()
        while active:
            rows = slice(active)
            done = self._table.extend(rows, self._decoder.step(self._table.last[rows]))
            if done:
                self._drawn.update(done)
                active = self._renew_rows()
        return [self._drawn[number] for number in range(len(self._requests))]

    def _renew_rows(self) -> int:
        """Fill free rows, close the gaps that stay, and return how many rows are in use."""
        table, cache = self._table, self._decoder.cache
        while (free := table.free) and (begun := self._waiting()):
            chosen = begun.table.taken[: len(free)]
            rows = free[: len(chosen)]
            cache.put(begun.prompts, [begun.sources[each] for each in chosen], rows)
            table.move(chosen, rows, begun.table)
        active = self._rows - len(table.free)
        gaps = [row for row in table.free if row < active]
        if gaps:
            movers = [row for row in table.taken if row >= active]
            cache.move(movers, gaps)
            table.move(movers, gaps)
        if active:
            cache.use(active)
        return active

    def _waiting(self) -> _Begun | None:
        """Return requests that have begun, at least one; None if there are none any more."""
        while self._begun is None or not self._begun.table.taken:
            self._begun = None  # frees its memory before the next ones take theirs
            if self._next == len(self._requests):
                return None
            self._begun = self._begin()
        return self._begun

    def _begin(self) -> _Begun:
        """Run the next prompts, no more than there are rows, and draw the tokens behind them.

        If they are enough for all rows, those that are much shorter wait for the next time.
        """
        first = self._next
        prompts: list[tuple[int, ...]] = []
        sources: list[int] = []
        for request in self._requests[first:]:
            if not prompts or prompts[-1] != request.prompt:
                shorter = prompts and len(request.prompt) < (1 - PADDING) * len(prompts[0])
                if len(prompts) == self._rows or (shorter and len(sources) >= self._rows):
                    break
                prompts.append(request.prompt)
            sources.append(len(prompts) - 1)
        self._next += len(sources)
        prefilled = self._decoder.prefill(prompts)
        table = Table(len(sources), self._rules, self._stops, self._decoder.device)
        table.begin(self._requests[first : self._next], first)
        for start in range(0, len(sources), self._rows):  # no more logits than in a step
            part = slice(start, start + self._rows)
            self._drawn.update(table.extend(part, prefilled.logits[sources[part]]))
        return _Begun(prefilled, sources, table)
