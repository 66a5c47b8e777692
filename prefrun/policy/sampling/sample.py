"""Chooses how a model's completions are decoded."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from prefrun.memory import is_out_of_memory
from prefrun.policy.attention.switch import ordinary_attention
from prefrun.policy.head import unwrap
from prefrun.policy.sampling.continuous import Continuous
from prefrun.policy.sampling.decoder import Decoder
from prefrun.policy.sampling.generated import generated
from prefrun.policy.sampling.request import Drawn, Request, Rules
from prefrun.policy.sampling.stops import Stops

log = logging.getLogger(__name__)

_HAS_ROWS: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


def sample(
    model: Any,
    pad_token_id: int,
    requests: Sequence[Request],
    rules: Rules,
    stops: Stops,
    rows: int,
) -> list[Drawn]:
    """Return a completion per request of MODEL, wrapped or not; up to ROWS are drawn together.

    Neighbours with one prompt share its pass through the model, and a row that has ended makes room
    for the next request. A completion depends on its request only, but for the last bits of a
    logit. The model's own sampling defaults are neither used nor changed, nor is the global random
    state.
    """
    if not requests:
        return []
    causal_lm = unwrap(model)
    with ordinary_attention(model):
        if _has_rows(causal_lm, requests[0].prompt, pad_token_id):
            decoder = Decoder(causal_lm, pad_token_id, rows)
            return Continuous(decoder, requests, rules, stops, rows).run()
        return generated(causal_lm, pad_token_id, requests, rules, stops, rows)


def _has_rows(causal_lm: Any, text: Sequence[int], pad_token_id: int) -> bool:
    """Tell whether CAUSAL_LM's cache can be edited row by row; it is tried once, on TEXT."""
    known = _HAS_ROWS.get(causal_lm)
    if known is None:
        problem = _problem_with(causal_lm, text, pad_token_id)
        if problem is not None:
            log.warning(
                "%s is sampled with transformers' generate, which is slower: %s",
                type(causal_lm).__name__,
                problem,
            )
        _HAS_ROWS[causal_lm] = known = problem is None
    return known


def _problem_with(causal_lm: Any, text: Sequence[int], pad_token_id: int) -> str | None:
    """Compare two rows, of which one joins later, with passes without cache."""
    try:
        kinds = {type(layer) for layer in DynamicCache(config=causal_lm.config).layers}
        if kinds - {DynamicLayer, DynamicSlidingWindowLayer}:
            return "its cache does not hold keys and values only"
        if getattr(causal_lm.config.get_text_config(), "attention_chunk_size", None):
            return "it attends in chunks"
        found, wanted = _both_ways(causal_lm, [list(text[-12:]), list(text[-5:])], pad_token_id)
    except Exception as error:  # a model may refuse a cache from outside in any way
        if is_out_of_memory(error):
            raise
        return f"it does not take a cache from outside ({error})"
    tolerance = 1e-3 if causal_lm.dtype in (torch.float32, torch.float64) else 5e-2
    if (found - wanted).abs().max() > tolerance * wanted.abs().max():
        return "rows in its cache change each other"
    return None


def _both_ways(
    causal_lm: Any, prompts: Sequence[list[int]], pad_token_id: int
) -> tuple[Tensor, Tensor]:
    """Return the logits [2, V] behind both prompts and what was appended, with and without rows."""
    first, second = prompts
    decoder = Decoder(causal_lm, pad_token_id, 2)
    both = decoder.prefill(prompts)
    tokens = torch.tensor([first[0], second[-1]], device=decoder.device)
    decoder.cache.put(both, [0], [0])
    decoder.cache.use(1)
    decoder.step(tokens[:1])
    decoder.cache.put(both, [1], [1])
    decoder.cache.use(2)
    found = decoder.step(tokens)
    whole = [[*first, first[0], first[0]], [*second, second[-1]]]
    wanted = [
        causal_lm(input_ids=torch.tensor([ids], device=decoder.device), use_cache=False).logits
        for ids in whole
    ]
    return found, torch.stack([logits[0, -1].float() for logits in wanted])
