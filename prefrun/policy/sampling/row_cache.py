"""Keys and values of rows that come and go, the newest token of all of them in one column.

    row = [free | prompt | completion], columns first .. end

A row's tokens are neighbours, so masks that count columns, such as a sliding window's, count
tokens. A step writes into one column of buffers that are a little larger than needed; those are
made anew, without the columns that no row needs any more, when that space is used up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import Cache
from transformers.cache_utils import DynamicLayer

SPARE = 64
"""Columns that new buffers have at least beyond what they hold."""


@dataclass(frozen=True, slots=True)
class Prefilled:
    """B prompts that went through the model together, padded on the left to P tokens."""

    layers: Sequence[tuple[Tensor, Tensor]]
    """Keys and values, each [B, heads, P, ...]."""
    lengths: Sequence[int]
    """Tokens of each prompt."""
    logits: Tensor
    """[B, V] float32 behind the prompts' last tokens."""

    @property
    def width(self) -> int:
        """P."""
        return self.layers[0][0].shape[2]


@dataclass(slots=True)
class _Window:
    """What of the buffers is in use."""

    rows: int = 0
    first: int = 0
    """The column of the oldest token."""
    end: int = 0
    """The column behind the newest token."""


class _Layer(DynamicLayer):  # type: ignore[no-untyped-call]
    """A layer's buffers, as transformers asks for them."""

    keys: Tensor
    values: Tensor

    def __init__(self, window: _Window, keys: Tensor, values: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.window, self.keys, self.values = window, keys, values
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True

    def get_seq_length(self) -> int:
        """Columns that hold tokens."""
        return self.window.end - self.window.first

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Write a new token per row; return all of theirs, [rows, heads, columns, ...]."""
        rows, first, end = self.window.rows, self.window.first, self.window.end
        self.keys[:rows, :, end] = key_states[:, :, 0]
        self.values[:rows, :, end] = value_states[:, :, 0]
        return self.keys[:rows, :, first : end + 1], self.values[:rows, :, first : end + 1]


class RowCache:
    """Up to ROWS rows; those in use are the first ones."""

    def __init__(self, rows: int, device: torch.device) -> None:
        self._rows, self._device = rows, device
        self._window = _Window()
        self._starts = torch.zeros(rows, dtype=torch.long)
        self._starts_there = self._starts.to(device)
        self._layers: list[_Layer] = []
        self.cache: Any = None
        """What the model is called with, once there is a row."""

    def put(self, prompts: Prefilled, sources: Sequence[int], rows: Sequence[int]) -> None:
        """Make the prompts with the numbers SOURCES the rows ROWS."""
        window = self._window
        if not self._layers:
            window.first = window.end = prompts.width
            width = prompts.width + SPARE
            self._layers = [
                _Layer(window, self._buffer(keys, width), self._buffer(values, width))
                for keys, values in prompts.layers
            ]
            self.cache = Cache(layers=[*self._layers])
        elif window.end < prompts.width:
            self._renew(prompts.width)
        end = window.end
        window.rows = max(window.rows, *(row + 1 for row in rows))
        window.first = min(window.first, end - prompts.width)
        columns = slice(end - prompts.width, end)
        for layer, (keys, values) in zip(self._layers, prompts.layers, strict=True):
            for source, row in zip(sources, rows, strict=True):
                layer.keys[row, :, columns] = keys[source]
                layer.values[row, :, columns] = values[source]
        self._starts[list(rows)] = end - torch.tensor([prompts.lengths[each] for each in sources])

    def move(self, sources: Sequence[int], rows: Sequence[int]) -> None:
        """Put the rows SOURCES in the place of ROWS."""
        columns = slice(self._window.first, self._window.end)
        for layer in self._layers:
            for source, row in zip(sources, rows, strict=True):
                layer.keys[row, :, columns] = layer.keys[source, :, columns]
                layer.values[row, :, columns] = layer.values[source, :, columns]
        self._starts[list(rows)] = self._starts[list(sources)]

    def use(self, rows: int) -> None:
        """Let the first ROWS rows, at least one, be those that take part."""
        self._window.rows = rows
        self._window.first = int(self._starts[:rows].min())
        self._starts_there = self._starts.to(self._device)

    def inputs(self) -> dict[str, Tensor]:
        """Return mask [rows, columns] and positions [rows, 1] of the next token of each row."""
        if self._window.end == self._layers[0].keys.shape[2]:
            self._renew(self._window.end - self._window.first)
        window = self._window
        starts = self._starts_there[: window.rows, None]
        columns = torch.arange(window.first, window.end + 1, device=self._device)
        return {"attention_mask": (columns >= starts).long(), "position_ids": window.end - starts}

    def advance(self) -> None:
        """Count the column that the model has written."""
        self._window.end += 1

    def _renew(self, end: int) -> None:
        """Make new buffers, in which the newest tokens are before column END."""
        window = self._window
        used = window.end - window.first
        width = end + max(SPARE, end // 4)
        kept = slice(window.first, window.end)
        for layer in self._layers:
            for name in ("keys", "values"):
                old = getattr(layer, name)
                new = self._buffer(old, width)
                new[: window.rows, :, end - used : end] = old[: window.rows, :, kept]
                setattr(layer, name, new)
        self._starts += end - window.end
        self._starts_there = self._starts.to(self._device)
        window.first, window.end = end - used, end

    def _buffer(self, like: Tensor, width: int) -> Tensor:
        """Zeros, not what memory holds: a weight of 0 on NaN is NaN."""
        return like.new_zeros((self._rows, like.shape[1], width, *like.shape[3:]))
