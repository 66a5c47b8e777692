"""The decoding loop: rows that have ended make room for requests that wait."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from prefrun.policy.sampling.decoder import Decoder
from prefrun.policy.sampling.drawing import draw, logps_of, uniforms
from prefrun.policy.sampling.request import Drawn, Request, Rules
from prefrun.policy.sampling.stops import Stops
from prefrun.policy.sampling.waiting import Waiting


class Continuous:
    """Draws the completions of REQUESTS, up to ROWS at a time, in their order."""

    def __init__(
        self, decoder: Decoder, requests: Sequence[Request], rules: Rules, stops: Stops, rows: int
    ) -> None:
        self._decoder, self._requests, self._rules = decoder, requests, rules
        self._stops, self._rows = stops, rows
        self._waiting = Waiting(decoder, requests, rows)
        self._owners: list[int | None] = [None] * rows
        """Per row, the number of its request."""
        shape, device = (rows, rules.max_new_tokens), decoder.device
        self._tokens = torch.zeros(shape, dtype=torch.long, device=device)
        self._logps = torch.zeros(shape, device=device)
        self._numbers = torch.zeros(shape, dtype=torch.float64, device=device)
        self._counts = torch.zeros(rows, dtype=torch.long, device=device)
        self._every = torch.arange(rows, device=device)
        self._is_stop: Tensor | None = None
        self._drawn: dict[int, Drawn] = {}

    def run(self) -> list[Drawn]:
        """Return a completion per request."""
        active = self._renew_rows()
        while active:
            rows = self._every[:active]
            last = self._tokens[rows, self._counts[:active] - 1]
            if self._extend(rows, self._decoder.step(last)):
                active = self._renew_rows()
        return [self._drawn[number] for number in range(len(self._requests))]

    def _renew_rows(self) -> int:
        """Fill free rows, close the gaps that stay, and return how many rows are in use."""
        while free := [row for row, owner in enumerate(self._owners) if owner is None]:
            taken = self._waiting.take(len(free))
            if taken is None:
                break
            rows = free[: len(taken.requests)]
            self._decoder.cache.put(taken.prompts, taken.sources, rows)
            there = torch.tensor(rows, device=self._decoder.device)
            self._counts[there] = 0
            if self._rules.temperature > 0:
                names = [self._requests[number].name for number in taken.requests]
                numbers = uniforms(self._rules.seed, names, self._rules.max_new_tokens)
                self._numbers[there] = numbers.to(there.device)
            for row, number in zip(rows, taken.requests, strict=True):
                self._owners[row] = number
            self._extend(there, taken.prompts.logits[taken.sources])
        active = self._rows - self._owners.count(None)
        self._close_gaps(active)
        if active:
            self._decoder.cache.use(active)
        return active

    def _close_gaps(self, active: int) -> None:
        """Move rows, so that the ACTIVE ones are the first."""
        gaps = [row for row in range(active) if self._owners[row] is None]
        movers = [row for row in range(active, self._rows) if self._owners[row] is not None]
        if not gaps:
            return
        self._decoder.cache.move(movers, gaps)
        for table in (self._tokens, self._logps, self._numbers, self._counts):
            table[gaps] = table[movers]
        for gap, mover in zip(gaps, movers, strict=True):
            self._owners[gap], self._owners[mover] = self._owners[mover], None

    def _extend(self, rows: Tensor, logits: Tensor) -> bool:
        """Draw a token from LOGITS [N, V] for each of ROWS [N]; tell whether some are done."""
        if self._is_stop is None:
            self._is_stop = self._stops.table(logits.shape[-1], logits.device)
        rules, counts = self._rules, self._counts[rows]
        tokens = draw(logits, self._numbers[rows, counts], rules.temperature, rules.top_p)
        self._tokens[rows, counts] = tokens
        self._logps[rows, counts] = logps_of(logits, tokens)
        counts = counts + 1
        self._counts[rows] = counts
        ended = self._is_stop[tokens]
        if self._stops.strings:
            ended = ended | self._have_stop_string(rows, tokens, counts)
        done = ended | (counts == rules.max_new_tokens)
        if not done.any():
            return False
        self._release(rows[done], counts[done], ended[done])
        return True

    def _have_stop_string(self, rows: Tensor, tokens: Tensor, counts: Tensor) -> Tensor:
        """[N] bool: whether the text of each of ROWS has a stop string, now that TOKENS came."""
        found = torch.zeros_like(tokens, dtype=torch.bool)
        for place, token in enumerate(tokens.tolist()):
            if self._stops.may_complete(token):
                ids = self._tokens[rows[place], : counts[place]].tolist()
                found[place] = self._stops.are_in(ids)
        return found

    def _release(self, rows: Tensor, counts: Tensor, ended: Tensor) -> None:
        """Keep what ROWS drew, and set them free."""
        longest = int(counts.max())
        tokens, logps = self._tokens[rows, :longest].tolist(), self._logps[rows, :longest].cpu()
        each = zip(rows.tolist(), counts.tolist(), ended.tolist(), strict=True)
        for place, (row, count, end) in enumerate(each):
            number = self._owners[row]
            assert number is not None
            ids = tuple(tokens[place][:count])
            self._drawn[number] = Drawn(ids, logps[place, :count].clone(), end)
            self._owners[row] = None
