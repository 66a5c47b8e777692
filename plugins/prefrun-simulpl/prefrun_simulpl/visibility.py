"""Which places of a batch of rows see which: the read/write schedule as an attention mask."""

from __future__ import annotations

import torch
from torch import Tensor


def visible(branch: Tensor, position: Tensor, words: Tensor, lasting: Tensor) -> Tensor:
    """[B, L] columns of `layout.Row` -> [B, L, L] bool, [b, q, k]: place q sees place k.

    A source place sees the source up to itself. A place of a translation sees the source words it
    has read, the lasting places of its translation before its own position, and itself. branch is
    -1 on padding, which sees itself only.
    """
    own, other = branch.unsqueeze(2), branch.unsqueeze(1)
    is_source = branch == 0
    earlier = position.unsqueeze(1) < position.unsqueeze(2)
    itself = torch.eye(branch.shape[1], dtype=torch.bool, device=branch.device)
    heard = is_source.unsqueeze(1) & torch.where(
        is_source.unsqueeze(2), earlier, words.unsqueeze(1) <= words.unsqueeze(2)
    )
    said = (own == other) & (own > 0) & lasting.unsqueeze(1) & earlier
    return ((heard & (own >= 0)) | said) | itself
