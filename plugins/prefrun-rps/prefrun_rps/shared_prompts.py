"""Samples k candidates per prompt in one batch; what their prompts share is computed once.

The candidates of a prompt begin with the same tokens (all of them for best-of-n, those before the
weights for RPS). These run through the model once per prompt; their keys and values are copied to
the candidates, which go on with the rest of their own prompts.

    row = [padding | shared prefix | padding | rest of the prompt | answer]

Padding is masked, and positions count real tokens only.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import (
    DynamicCache,
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)

from prefrun.policy.head import unwrap
from prefrun.policy.sampling.drawing import draw, uniforms
from prefrun.policy.scoring import inference

log = logging.getLogger(__name__)

Group = Sequence[tuple[int, ...]]
"""The prompts of one record's candidates, as token ids."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn."""

    max_new_tokens: int
    temperature: float
    """0 is greedy."""
    top_p: float
    seed: int


@dataclass(frozen=True, slots=True)
class Rows:
    """A batch's prompts. R records with k candidates each."""

    prefix: Tensor
    """[R, P] what a record's candidates share, padded on the left."""
    prefix_mask: Tensor
    """[R, P]"""
    rest: Tensor
    """[R * k, S] the rest of each prompt, padded on the left."""
    rest_mask: Tensor
    """[R * k, S]"""

    @classmethod
    def of(cls, groups: Sequence[Group], pad: int, device: torch.device, *, share: bool) -> Rows:
        """Lay out GROUPS, which have k prompts each; without SHARE every prefix is empty."""
        lengths = [common_prefix(group) if share else 0 for group in groups]
        pairs = list(zip(groups, lengths, strict=True))
        prefix = _padded([group[0][:length] for group, length in pairs], pad, device)
        rest = _padded([ids[length:] for group, length in pairs for ids in group], pad, device)
        return cls(*prefix, *rest)

    def whole(self) -> tuple[Tensor, Tensor]:
        """Return ids and mask of the whole prompts, each [R * k, P + S]."""
        k = len(self.rest) // len(self.prefix)
        ids = torch.cat([self.prefix.repeat_interleave(k, 0), self.rest], dim=1)
        mask = torch.cat([self.prefix_mask.repeat_interleave(k, 0), self.rest_mask], dim=1)
        return ids, mask


def common_prefix(group: Group) -> int:
    """Return how many tokens GROUP's prompts share; at least the last one of each is not shared."""
    limit = min(map(len, group)) - 1
    for place in range(limit):
        if len({ids[place] for ids in group}) > 1:
            return place
    return limit


def _padded(rows: Sequence[Sequence[int]], pad: int, device: torch.device) -> tuple[Tensor, Tensor]:
    length = max(map(len, rows))
    ids = [[pad] * (length - len(row)) + list(row) for row in rows]
    mask = [[0] * (length - len(row)) + [1] * len(row) for row in rows]
    return torch.tensor(ids, device=device).long(), torch.tensor(mask, device=device).long()


@dataclass
class CandidateSampler:
    """Draws candidates from a causal language model."""

    model: Any
    """transformers.PreTrainedModel, or a peft.PeftModel around one."""
    pad_token_id: int
    stop_ids: Collection[int]
    """Beside the model's own end-of-sequence ids."""
    _shares: bool | None = field(default=None, init=False)

    def sample(
        self, groups: Sequence[Group], names: Sequence[str], sampling: Sampling
    ) -> list[list[list[int]]]:
        """Return per record and candidate the answer's ids, without what stopped it.

        All GROUPS have k prompts. NAMES has one name per candidate, record after record: its random
        numbers depend on the seed and on its name only.
        """
        k, device = len(groups[0]), unwrap(self.model).device
        share = self._can_share(groups, sampling)
        rows = Rows.of(groups, self.pad_token_id, device, share=share)
        processors = _processors(names, sampling)
        with inference(self.model):
            output = self._generate(rows, sampling.max_new_tokens, processors).sequences
        length, stops = rows.prefix.shape[1] + rows.rest.shape[1], self._stops()
        answers = [_before_stop(row[length:].tolist(), stops) for row in output]
        return [answers[start : start + k] for start in range(0, len(answers), k)]

    def _can_share(self, groups: Sequence[Group], sampling: Sampling) -> bool:
        """Whether these prompts' keys and values can be shared and the answers stay the same."""
        if max(map(common_prefix, groups)) == 0:
            return False
        window = getattr(unwrap(self.model).config, "sliding_window", None)
        longest = max(len(ids) for group in groups for ids in group) + sampling.max_new_tokens
        if window and 2 * longest > window:  # padding inside a row would count as part of it
            return False
        if self._shares is None:
            self._shares = self._agrees(groups[:2])
        return self._shares

    def _agrees(self, groups: Sequence[Group]) -> bool:
        """Try whether sharing gives the logits of whole prompts with this model."""
        device = unwrap(self.model).device
        try:
            with inference(self.model):
                one, two = (
                    self._generate(
                        Rows.of(groups, self.pad_token_id, device, share=share),
                        1,
                        LogitsProcessorList(),
                    ).logits[0]
                    for share in (True, False)
                )
        except Exception as error:  # a model may refuse a cache from outside in any way
            log.warning("each candidate's whole prompt is computed: %s", error)
            return False
        tolerance = 1e-3 if one.dtype == torch.float32 else 5e-2
        agrees = bool((one - two).abs().max() <= tolerance * two.abs().max())
        if not agrees:
            log.warning("each candidate's whole prompt is computed: shared keys differ")
        return agrees

    def _generate(self, rows: Rows, max_new_tokens: int, processors: LogitsProcessorList) -> Any:
        ids, mask = rows.whole()
        with self._plain_generation(max_new_tokens) as causal_lm:
            options = {}
            if rows.prefix.shape[1]:
                k = len(rows.rest) // len(rows.prefix)
                options["past_key_values"] = _prefilled(causal_lm, rows, k)
            return causal_lm.generate(
                ids, attention_mask=mask, logits_processor=processors, **options
            )

    def _stops(self) -> set[int]:
        eos = unwrap(self.model).generation_config.eos_token_id
        own = set(eos) if isinstance(eos, list) else {eos} - {None}
        return own | set(self.stop_ids)

    @contextmanager
    def _plain_generation(self, max_new_tokens: int) -> Iterator[Any]:
        """Put the model's own sampling defaults aside for a while."""
        causal_lm = unwrap(self.model)
        own, stops = causal_lm.generation_config, self._stops()
        make: Any = GenerationConfig
        causal_lm.generation_config = make(
            do_sample=False,
            max_new_tokens=max_new_tokens,
            eos_token_id=sorted(stops) or None,
            pad_token_id=self.pad_token_id,
            use_cache=True,
            return_dict_in_generate=True,
            output_logits=max_new_tokens == 1,
        )
        try:
            yield causal_lm
        finally:
            causal_lm.generation_config = own


def _prefilled(causal_lm: Any, rows: Rows, k: int) -> DynamicCache:
    """Run the prefixes through the model, once per record, and copy their keys k times."""
    cache = DynamicCache(config=causal_lm.config)
    inputs = {"input_ids": rows.prefix, "attention_mask": rows.prefix_mask}
    decoder = causal_lm.base_model
    if "position_ids" in inspect.signature(decoder.forward).parameters:
        positions = rows.prefix_mask.cumsum(-1) - 1
        inputs["position_ids"] = positions.clamp(min=0)
    decoder(**inputs, past_key_values=cache, use_cache=True)
    cache.batch_repeat_interleave(k)
    return cache


def _processors(names: Sequence[str], sampling: Sampling) -> LogitsProcessorList:
    """Nothing for greedy search; else temperature, nucleus, and the drawn token."""
    processors = LogitsProcessorList()
    if sampling.temperature > 0:
        processors.append(TemperatureLogitsWarper(sampling.temperature))
        if sampling.top_p < 1:
            processors.append(TopPLogitsWarper(sampling.top_p))
        numbers = uniforms(sampling.seed, names, sampling.max_new_tokens)
        processors.append(_Drawing(numbers))
    return processors


class _Drawing(LogitsProcessor):
    """Turns a greedy search into sampling with given numbers, [R, T] in [0, 1)."""

    def __init__(self, numbers: Tensor) -> None:
        self._columns = iter(numbers.unbind(1))

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """[R, V] logits -> [R, V] with 0 at the drawn token and -inf elsewhere."""
        tokens = draw(scores, next(self._columns).to(scores.device), temperature=1.0, top_p=1.0)
        return torch.full_like(scores, -torch.inf).scatter(1, tokens[:, None], 0.0)


def _before_stop(ids: list[int], stops: Collection[int]) -> list[int]:
    ends = [place for place, token in enumerate(ids) if token in stops]
    return ids[: ends[0]] if ends else ids
