"""What ends a completion: tokens, and strings in its text."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor

from prefrun.policy.head import unwrap

NOT_A_CHARACTER = "\ufffd"
"""What a tokenizer writes for a part of a character."""


class Stops:
    """The end tokens of a model and of its tokenizer, and stop strings."""

    def __init__(
        self, model: Any, tokenizer: Any, ids: Collection[int], strings: Sequence[str] = ()
    ) -> None:
        """IDS end a completion beside the model's own. Raises ValueError for an empty string."""
        if not all(strings):
            raise ValueError("a stop string must not be empty")
        own = unwrap(model).generation_config.eos_token_id
        eos = set(own) if isinstance(own, list) else {own} - {None}
        self.ids = frozenset({*ids, *eos})
        self.strings, self._tokenizer = tuple(strings), tokenizer
        self._last = {string[-1] for string in strings}
        self._may_complete: dict[int, bool] = {}

    def table(self, vocabulary: int, device: torch.device) -> Tensor:
        """Return [VOCABULARY] bool: True at end tokens."""
        table = torch.zeros(vocabulary, dtype=torch.bool, device=device)
        table[[token for token in self.ids if token < vocabulary]] = True
        return table

    def may_complete(self, token: int) -> bool:
        """Tell whether TOKEN may be the last of a stop string, whatever comes before it."""
        if not self.strings:
            return False
        known = self._may_complete.get(token)
        if known is None:
            piece = self._decode([token])
            known = (
                not piece  # such as the space that a tokenizer omits at the beginning
                or " " in self._last
                or NOT_A_CHARACTER in piece
                or not self._last.isdisjoint(piece)
            )
            self._may_complete[token] = known
        return known

    def are_in(self, ids: Sequence[int]) -> bool:
        """Tell whether the text of IDS has a stop string."""
        text = self._decode(ids)
        return any(string in text for string in self.strings)

    def text(self, ids: Sequence[int]) -> str:
        """Return the text of a completion, without end token, until the first stop string's end."""
        text = self._decode(ids[:-1] if ids and ids[-1] in self.ids else ids)
        ends = [text.find(string) + len(string) for string in self.strings if string in text]
        return text[: min(ends)] if ends else text

    def _decode(self, ids: Sequence[int]) -> str:
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True)
        return text
