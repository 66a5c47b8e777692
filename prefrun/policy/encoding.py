"""Texts as token ids, and which token a character of the text is in."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

CHUNK = 1024
"""Texts per call of the tokenizer: enough for its threads, little enough for memory."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """One text's tokens."""

    ids: list[int]
    offsets: Any
    """tokenizers.Encoding; None of a tokenizer that is not fast."""

    def tokens_before(self, char: int) -> int:
        """Return how many tokens end at or before CHAR: one that goes on behind it is none."""
        token: int | None = self.offsets.char_to_token(char)
        if token is None:  # the end of the text, or a character that no token has
            return bisect_right([end for _, end in self.offsets.offsets], char)
        return token


def encode(tokenizer: Any, texts: Iterable[str]) -> Iterator[Encoded]:
    """Yield the tokens of each text, in order, without special tokens around it."""
    rest = iter(texts)
    while chunk := list(islice(rest, CHUNK)):
        encoded = tokenizer(
            chunk,
            add_special_tokens=False,
            return_attention_mask=False,
            return_token_type_ids=False,
            verbose=False,
        )
        offsets = encoded.encodings or [None] * len(chunk)
        for ids, each in zip(encoded["input_ids"], offsets, strict=True):
            yield Encoded(list(ids), each)


def encode_ids(tokenizer: Any, texts: Iterable[str]) -> list[list[int]]:
    """Return the token ids of each text alone."""
    return [each.ids for each in encode(tokenizer, texts)]
