"""What completions have drawn so far, one row of each tensor per completion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from prefrun.policy.sampling.drawing import draw, logps_of, uniforms
from prefrun.policy.sampling.request import Drawn, Request, Rules
from prefrun.policy.sampling.stops import Stops


class Table:
    """ROWS rows, each of a request or free."""

    def __init__(self, rows: int, rules: Rules, stops: Stops, device: torch.device) -> None:
        self._rules, self._stops = rules, stops
        self._is_stop: Tensor | None = None
        shape = rows, rules.max_new_tokens
        self.owners: list[int | None] = [None] * rows
        """Per row, the number of its request; None if it is free."""
        self.last = torch.zeros(rows, dtype=torch.long, device=device)
        """[R] the newest token."""
        self._tokens = torch.zeros(shape, dtype=torch.long, device=device)
        self._logps = torch.zeros(shape, device=device)
        self._numbers = torch.zeros(shape, dtype=torch.float64, device=device)
        self._counts = torch.zeros(rows, dtype=torch.long, device=device)
        self._every = torch.arange(rows, device=device)

    @property
    def free(self) -> list[int]:
        """The free rows."""
        return [row for row, owner in enumerate(self.owners) if owner is None]

    @property
    def taken(self) -> list[int]:
        """The other ones."""
        return [row for row, owner in enumerate(self.owners) if owner is not None]

    def begin(self, requests: Sequence[Request], first: int) -> None:
        """Give the rows to REQUESTS, whose numbers begin with FIRST."""
        self.owners = list(range(first, first + len(requests)))
        if self._rules.temperature > 0:
            names = [request.name for request in requests]
            numbers = uniforms(self._rules.seed, names, self._rules.max_new_tokens)
            self._numbers = numbers.to(self._numbers.device)

    def move(self, sources: Sequence[int], rows: Sequence[int], table: Table | None = None) -> None:
        """Put rows SOURCES of TABLE, or of this one, in the place of the free rows ROWS."""
        other = table or self
        there, chosen = (torch.tensor(each, device=self.last.device) for each in (rows, sources))
        for name in ("last", "_tokens", "_logps", "_numbers", "_counts"):
            getattr(self, name)[there] = getattr(other, name)[chosen]
        for source, row in zip(sources, rows, strict=True):
            self.owners[row], other.owners[source] = other.owners[source], None

    def extend(self, rows: slice, logits: Tensor) -> list[tuple[int, Drawn]]:
        """Draw a token of each of ROWS, N of them, from LOGITS [N, V].

        Returns the requests that are done with it, by number. Their rows are free.
        """
        rules, index, counts = self._rules, self._every[rows], self._counts[rows]
        if self._is_stop is None:
            self._is_stop = self._stops.table(logits.shape[1], logits.device)
        place = index, counts
        tokens = draw(logits, self._numbers[place], rules.temperature, rules.top_p)
        self._tokens[place] = tokens
        self._logps[place] = logps_of(logits, tokens)
        self.last[rows] = tokens
        counts += 1  # the table's own
        ended = self._is_stop[tokens]
        if self._stops.strings:
            ended |= self._have_stop_string(index)
        done = ended | (counts == rules.max_new_tokens)
        return list(self._released(index[done], ended[done])) if done.any() else []

    def _have_stop_string(self, rows: Tensor) -> Tensor:
        """[N] bool: whether the texts of ROWS [N] have one since their last token."""
        found = torch.zeros_like(rows, dtype=torch.bool)
        each = zip(rows.tolist(), self.last[rows].tolist(), strict=True)
        for place, (row, token) in enumerate(each):
            if self._stops.may_complete(token):
                ids = self._tokens[row, : self._counts[row]].tolist()
                found[place] = self._stops.are_in(ids)
        return found

    def _released(self, rows: Tensor, ended: Tensor) -> Iterator[tuple[int, Drawn]]:
        """Yield what ROWS [N] drew, and set them free; ENDED [N] were not cut."""
        counts = self._counts[rows]
        longest = int(counts.max())
        tokens, logps = self._tokens[rows, :longest].tolist(), self._logps[rows, :longest].cpu()
        each = zip(rows.tolist(), counts.tolist(), ended.tolist(), strict=True)
        for place, (row, count, end) in enumerate(each):
            number, self.owners[row] = self.owners[row], None
            assert number is not None
            yield number, Drawn(tuple(tokens[place][:count]), logps[place, :count].clone(), end)
