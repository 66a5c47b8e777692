"""Completions by transformers' own `generate`, for models that keep more than keys and values.

State-space models and models with caches of their own carry their rows through it themselves: a
batch stays together until its last row is done.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)

from prefrun.policy.sampling.decoder import padded
from prefrun.policy.sampling.drawing import draw, logps_of, uniforms
from prefrun.policy.sampling.request import Drawn, Request, Rules
from prefrun.policy.sampling.stops import Stops


def generated(
    causal_lm: Any,
    pad_token_id: int,
    requests: Sequence[Request],
    rules: Rules,
    stops: Stops,
    rows: int,
) -> list[Drawn]:
    """Return a completion per request, ROWS of them at a time."""
    drawn = []
    for start in range(0, len(requests), rows):
        part = requests[start : start + rows]
        drawn += _batch(causal_lm, pad_token_id, part, rules, stops)
    return drawn


def _batch(
    causal_lm: Any, pad_token_id: int, requests: Sequence[Request], rules: Rules, stops: Stops
) -> list[Drawn]:
    device = causal_lm.device
    ids, mask = padded([request.prompt for request in requests], pad_token_id, device)
    drawing, ending = _Drawing(requests, rules, device), _Ending(ids.shape[1], stops)
    config: Any = GenerationConfig
    plain = config(
        do_sample=False,
        max_new_tokens=rules.max_new_tokens,
        eos_token_id=None,
        pad_token_id=pad_token_id,
        use_cache=True,
    )
    with _generation_config(causal_lm, plain):
        output = causal_lm.generate(
            ids,
            attention_mask=mask,
            logits_processor=LogitsProcessorList([drawing]),
            stopping_criteria=StoppingCriteriaList([ending]),
        )
    logps = torch.stack(drawing.logps, 1).cpu()
    new = output[:, ids.shape[1] :]
    lengths = [ending.lengths.get(row, new.shape[1]) for row in range(len(requests))]
    return [
        Drawn(tuple(new[row, :length].tolist()), logps[row, :length].clone(), row in ending.lengths)
        for row, length in enumerate(lengths)
    ]


class _Drawing(LogitsProcessor):
    """Turns a greedy search into sampling, and keeps log-probs of what is drawn."""

    def __init__(self, requests: Sequence[Request], rules: Rules, device: torch.device) -> None:
        numbers = uniforms(rules.seed, [each.name for each in requests], rules.max_new_tokens)
        self._columns = iter(numbers.to(device).unbind(1))
        self._rules = rules
        self.logps: list[Tensor] = []
        """Per token, [R]."""

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """[R, V] logits -> [R, V] with 0 at the drawn token and -inf elsewhere."""
        tokens = draw(scores, next(self._columns), self._rules.temperature, self._rules.top_p)
        self.logps.append(logps_of(scores, tokens))
        return torch.full_like(scores, -torch.inf).scatter(1, tokens[:, None], 0.0)


class _Ending(StoppingCriteria):
    """Ends rows, and keeps how many tokens each had then."""

    def __init__(self, width: int, stops: Stops) -> None:
        """WIDTH: tokens before the completions."""
        self._width, self._stops = width, stops
        self.lengths: dict[int, int] = {}

    def __call__(self, input_ids: Tensor, scores: Tensor, **kwargs: Any) -> Tensor:
        """Return [R] bool: whether a row is done."""
        for row, token in enumerate(input_ids[:, -1].tolist()):
            if row not in self.lengths and self._ends(input_ids[row, self._width :], token):
                self.lengths[row] = input_ids.shape[1] - self._width
        done = [row in self.lengths for row in range(len(input_ids))]
        return torch.tensor(done, device=input_ids.device)

    def _ends(self, ids: Tensor, token: int) -> bool:
        """Tell whether the completion IDS [T] is at its end with TOKEN, its last."""
        stops = self._stops
        return token in stops.ids or (stops.may_complete(token) and stops.are_in(ids.tolist()))


@contextmanager
def _generation_config(causal_lm: Any, config: GenerationConfig) -> Iterator[None]:
    """Put the model's own defaults (penalties, top-k, forced tokens) aside for a while."""
    own = causal_lm.generation_config
    causal_lm.generation_config = config
    try:
        yield
    finally:
        causal_lm.generation_config = own
