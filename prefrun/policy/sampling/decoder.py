"""Runs a causal language model on prompts, and then token by token on rows that share no length."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from prefrun.policy.sampling.row_cache import Prefilled, RowCache


class Decoder:
    """CAUSAL_LM without wrappers, and the keys and values of up to ROWS rows."""

    def __init__(self, causal_lm: Any, pad_token_id: int, rows: int) -> None:
        self._model, self._pad, self._rows = causal_lm, pad_token_id, rows
        self.device: torch.device = causal_lm.device
        self.cache = RowCache(rows, self.device)
        taken = inspect.signature(type(causal_lm).forward).parameters
        self._positions = "position_ids" in taken
        self._last_only = {"logits_to_keep": 1} if "logits_to_keep" in taken else {}

    def prefill(self, prompts: Sequence[Sequence[int]]) -> Prefilled:
        """Run PROMPTS through the model, each once."""
        ids, mask = padded(prompts, self._pad, self.device)
        # not of the model's config: a layer that forgets what is out of its window has no columns
        cache: Any = DynamicCache()
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        logits = self._run(ids, cache, {"attention_mask": mask, "position_ids": positions})
        layers = [(layer.keys, layer.values) for layer in cache.layers]
        return Prefilled(layers, [len(prompt) for prompt in prompts], logits)

    def step(self, tokens: Tensor) -> Tensor:
        """Append TOKENS [N] to the N rows in use; return the logits behind them, [N, V] float32."""
        logits = self._run(tokens[:, None], self.cache.cache, self.cache.inputs())
        self.cache.advance()
        return logits

    def _run(self, ids: Tensor, cache: Any, inputs: dict[str, Tensor]) -> Tensor:
        if not self._positions:
            del inputs["position_ids"]
        output = self._model(
            input_ids=ids, **inputs, past_key_values=cache, use_cache=True, **self._last_only
        )
        logits: Tensor = output.logits[:, -1].to(self.device, torch.float32)
        return logits


def padded(
    prompts: Sequence[Sequence[int]], pad_token_id: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return ids and mask, each [B, P] int64, padded on the left."""
    width = max(map(len, prompts))
    ids = [[pad_token_id] * (width - len(prompt)) + list(prompt) for prompt in prompts]
    mask = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)
