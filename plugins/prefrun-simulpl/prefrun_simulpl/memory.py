"""The keys and values of what was read and written, for several sentences side by side."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import DynamicCache

from prefrun_simulpl.model import SimtForCausalLM
from prefrun_simulpl.vocabulary import PAD_ID

Place = tuple[int, int, bool]
"""Token, position on its side, is it of the target."""


class Memory:
    """Grows with each call of `ask`; computes no place twice.

    Per sentence, columns of the cache are source places, target places that last, or dead: padding,
    and pending places that were asked again after a READ.
    """

    def __init__(self, model: SimtForCausalLM, sentences: int) -> None:
        self.model, self._cache = model, DynamicCache()
        device = model.device
        self._source = torch.zeros(sentences, 0, dtype=torch.bool, device=device)
        self._target = torch.zeros(sentences, 0, dtype=torch.bool, device=device)
        self.places = 0
        """Places computed so far, padding left aside."""

    def ask(self, chunks: Sequence[Sequence[Place]]) -> tuple[list[float], list[int]]:
        """Add new places, source first and one target place last, and ask the model there.

        Returns per sentence the confidence to write and the likeliest token.
        """
        width = max(len(chunk) for chunk in chunks)
        self.places += sum(len(chunk) for chunk in chunks)
        device = self.model.device
        filled = [[*([(PAD_ID, 0, None)] * (width - len(chunk))), *chunk] for chunk in chunks]
        ids, positions = (
            torch.tensor([[place[part] for place in row] for row in filled], device=device)
            for part in (0, 1)
        )
        is_target, is_source = (
            torch.tensor([[place[2] is side for place in row] for row in filled], device=device)
            for side in (True, False)
        )
        seen = self._seen(is_source, is_target)
        self._source = torch.cat([self._source, is_source], dim=1)
        hidden = self.model.states(ids, is_target, positions, seen, self._cache)[:, -1]
        confidence = self.model.confidence(hidden).squeeze(-1).sigmoid()
        tokens = self.model.lm_head(hidden).argmax(-1)
        return confidence.tolist(), tokens.tolist()

    def keep(self, lasting: Sequence[bool]) -> None:
        """Say of each sentence's target place whether later places see it: it was written."""
        columns = self._source.shape[1] - self._target.shape[1]
        new = torch.zeros(len(lasting), columns, dtype=torch.bool, device=self._target.device)
        new[:, -1] = torch.tensor(lasting, device=new.device)
        self._target = torch.cat([self._target, new], dim=1)

    def select(self, sentences: Sequence[int]) -> None:
        """Forget all but SENTENCES, which get new numbers in this order."""
        index = torch.tensor(sentences, dtype=torch.long, device=self._source.device)
        self._source, self._target = self._source[index], self._target[index]
        self._cache.batch_select_indices(index)

    def _seen(self, is_source: Tensor, is_target: Tensor) -> Tensor:
        """[B, W] new places of either side -> [B, W, P + W] what each sees."""
        width = is_source.shape[1]
        past = self._source.unsqueeze(1) | (is_target.unsqueeze(2) & self._target.unsqueeze(1))
        before = torch.ones(width, width, dtype=torch.bool, device=past.device).tril()
        itself = torch.eye(width, dtype=torch.bool, device=past.device)
        new = (is_source.unsqueeze(1) & before) | itself
        return torch.cat([past.expand(-1, width, -1), new], dim=2)
