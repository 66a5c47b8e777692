"""Draws answers from a policy, each prompt with random numbers of its own."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from prefrun.policy.attention.switch import ordinary_attention
from prefrun.policy.head import unwrap

if TYPE_CHECKING:
    from collections.abc import Iterator


class InverseTransform(LogitsProcessor):
    """Turns a greedy search into sampling: the token is where the CDF passes a given number."""

    def __init__(self, uniforms: Tensor, temperature: float) -> None:
        """UNIFORMS: [R, T] float64 in [0, 1), one per row and new token."""
        self.columns = iter(uniforms.unbind(1))
        self.temperature = temperature

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """[R, V] logits -> [R, V] with 0 at the drawn token and -inf elsewhere."""
        cdf = (scores.double() / self.temperature).softmax(-1).cumsum(-1)
        point = next(self.columns)[:, None].to(cdf.device) * cdf[:, -1:]
        drawn = torch.searchsorted(cdf, point, right=True).clamp(max=cdf.shape[-1] - 1)
        return torch.full_like(scores, -torch.inf).scatter(1, drawn, 0.0)


def uniforms(seed: int, names: Sequence[str], count: int) -> Tensor:
    """Return [len(NAMES), COUNT] float64 in [0, 1); a row depends on SEED and its name only."""
    rows = []
    for name in names:
        digest = blake2b(f"{seed}\0{name}".encode(), digest_size=8).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)
        rows.append(torch.rand(count, generator=generator, dtype=torch.float64))
    return torch.stack(rows)


def sample(
    model: Any,
    prompts: Sequence[Sequence[int]],
    names: Sequence[str],
    max_new_tokens: int,
    temperature: float,
    seed: int,
    stop_ids: Collection[int],
    pad_token_id: int,
) -> list[list[int]]:
    """Return one answer's ids per prompt, without what stopped it. Temperature 0 is greedy.

    A prompt's random numbers depend on SEED and its name, so its answer does not depend on the
    other prompts (but for the last bits of a logit), and two policies asked with one seed share
    their luck. The global random state is neither read nor changed.
    """
    length = max(map(len, prompts))
    padding = [length - len(prompt) for prompt in prompts]
    ids = [[pad_token_id] * pad + list(p) for pad, p in zip(padding, prompts, strict=True)]
    mask = [[0] * pad + [1] * len(p) for pad, p in zip(padding, prompts, strict=True)]
    processors = LogitsProcessorList()
    if temperature > 0:
        numbers = uniforms(seed, names, max_new_tokens)
        processors.append(InverseTransform(numbers, temperature))
    stops = {*stop_ids, *_stops_of(model)}
    plain = _plain_generation(model, stops, pad_token_id, max_new_tokens)
    with ordinary_attention(model), plain as causal_lm:
        output = causal_lm.generate(
            torch.tensor(ids, device=causal_lm.device),
            attention_mask=torch.tensor(mask, device=causal_lm.device),
            logits_processor=processors,
        )
    return [_before_stop(row[length:].tolist(), stops) for row in output]


def _stops_of(model: Any) -> set[int]:
    eos = unwrap(model).generation_config.eos_token_id
    return set(eos) if isinstance(eos, list) else {eos} - {None}


@contextmanager
def _plain_generation(
    model: Any, stops: Collection[int], pad_token_id: int, max_new_tokens: int
) -> Iterator[Any]:
    """Put the model's own sampling defaults (penalties, top-k, forced tokens) aside for a while."""
    causal_lm = unwrap(model)
    own = causal_lm.generation_config
    make: Any = GenerationConfig
    causal_lm.generation_config = make(
        do_sample=False,
        max_new_tokens=max_new_tokens,
        eos_token_id=sorted(stops) or None,
        pad_token_id=pad_token_id,
        use_cache=True,
    )
    try:
        yield causal_lm
    finally:
        causal_lm.generation_config = own


def _before_stop(ids: list[int], stops: Collection[int]) -> list[int]:
    ends = [place for place, token in enumerate(ids) if token in stops]
    return ids[: ends[0]] if ends else ids
