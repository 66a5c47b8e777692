"""Requests that wait for a row, and the prompts that went through the model for them already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from prefrun.policy.sampling.decoder import Decoder
from prefrun.policy.sampling.request import Request
from prefrun.policy.sampling.row_cache import Prefilled


@dataclass(frozen=True, slots=True)
class Taken:
    """Requests whose turn has come."""

    requests: Sequence[int]
    """Their numbers."""
    sources: Sequence[int]
    """Which of PROMPTS each begins with."""
    prompts: Prefilled


class Waiting:
    """Prefills a prompt once for all neighbours among REQUESTS that have it, about ROWS of them."""

    def __init__(self, decoder: Decoder, requests: Sequence[Request], rows: int) -> None:
        self._decoder, self._rows = decoder, rows
        self._groups = self._by_prompt(requests)
        self._ready: list[tuple[int, int]] = []
        self._prompts: Prefilled | None = None

    def take(self, limit: int) -> Taken | None:
        """Return up to LIMIT requests; None if none is left."""
        if not self._ready:
            self._prompts = None  # frees its memory before the next ones take theirs
            self._prefill()
        if self._prompts is None:
            return None
        chosen, self._ready = self._ready[:limit], self._ready[limit:]
        return Taken([each[0] for each in chosen], [each[1] for each in chosen], self._prompts)

    def _prefill(self) -> None:
        prompts: list[tuple[int, ...]] = []
        while len(self._ready) < self._rows:
            group = next(self._groups, None)
            if group is None:
                break
            self._ready += [(number, len(prompts)) for number in group[1]]
            prompts.append(group[0])
        if prompts:
            self._prompts = self._decoder.prefill(prompts)

    @staticmethod
    def _by_prompt(requests: Sequence[Request]) -> Iterator[tuple[tuple[int, ...], list[int]]]:
        for prompt, numbers in groupby(range(len(requests)), lambda i: requests[i].prompt):
            yield prompt, list(numbers)
