"""The length limit of a tokenised tree, and the count of what it cost. Standard library only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from prefrun.errors import ConfigError


@dataclass(frozen=True, slots=True)
class TruncationCount:
    """How much was truncated. Nothing is ever dropped whole."""

    records: int = 0
    """Trees whose prompt or some answer lost tokens."""
    prompts: int = 0
    """Prompts that lost tokens."""
    answers: int = 0
    """Answers that lost tokens, and with them their end-of-turn token."""

    def __add__(self, other: TruncationCount) -> TruncationCount:
        return TruncationCount(
            self.records + other.records, self.prompts + other.prompts, self.answers + other.answers
        )

    @classmethod
    def of(cls, trees: Iterable[Truncated]) -> TruncationCount:
        """Sum over tokenised trees."""
        return sum((tree.truncated for tree in trees), start=cls())


class Truncated(Protocol):
    """Something that knows what it lost."""

    @property
    def truncated(self) -> TruncationCount:
        """Its losses."""
        ...


@dataclass(frozen=True, slots=True)
class LengthLimit:
    """Which tokens of a too long tree stay. Raises ConfigError for limits that cannot be met."""

    max_length: int
    """Tokens of the prompt and an answer together."""
    max_prompt_length: int | None
    """Tokens of the prompt. None: what the longest answer leaves of max_length, but no less than
    half of max_length."""
    keep: str
    """'keep_end' or 'keep_start' of the prompt. Answers lose their end."""

    def __post_init__(self) -> None:
        if self.max_length < 2:
            raise ConfigError(f"trainer.max_length={self.max_length} must be at least 2")
        if self.keep not in ("keep_end", "keep_start"):
            raise ConfigError(f"trainer.truncation={self.keep} must be keep_end or keep_start")
        limit = self.max_prompt_length
        if limit is not None and not 1 <= limit < self.max_length:
            raise ConfigError(
                f"trainer.max_prompt_length={limit} must be at least 1 and below "
                f"trainer.max_length={self.max_length}"
            )

    def truncate_prompts(
        self, prompts: Sequence[Sequence[int]], answers: Sequence[int], bos: int | None
    ) -> list[tuple[int, ...]]:
        """Return PROMPTS, each beside an answer of so many tokens; a leading BOS stays.

        They are one prompt, whose tokens at the end may differ by what follows them. All of them
        lose the same number of tokens, so what they share they still share.
        """
        longest = max(map(len, prompts))
        if self.max_prompt_length is None:
            total = max(len(ids) + answer for ids, answer in zip(prompts, answers, strict=True))
            excess = min(longest - self.max_length // 2, total - self.max_length)
        else:
            excess = longest - self.max_prompt_length
        if excess <= 0:
            return [tuple(ids) for ids in prompts]
        if self.keep == "keep_start":
            return [tuple(ids[: longest - excess]) for ids in prompts]
        head = int(prompts[0][0] == bos and longest - excess > 1)
        return [(*ids[:head], *ids[head + excess :]) for ids in prompts]

    def truncate_answer(self, ids: Sequence[int], prompt: int) -> tuple[int, ...]:
        """Return the beginning of the answer that fits behind PROMPT tokens, at least one."""
        return tuple(ids[: self.max_length - prompt])
