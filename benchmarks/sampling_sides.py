"""What is sampled, by prefrun and by transformers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from models import make_model
from shapes import LARGE, SMALL, ModelSize, Shape

from prefrun.policy.sampling.decoder import padded
from prefrun.policy.sampling.request import Request, Rules
from prefrun.policy.sampling.sample import sample
from prefrun.policy.sampling.stops import Stops

NAMES = ("prefrun", "transformers")
Prompts = Sequence[tuple[int, ...]]
Completions = list[list[tuple[int, ...]]]
"""Per prompt, ids of each completion with its end token."""
Side = Callable[[Prompts, int], Completions]
"""Prompts and seed -> completions."""
MEAN_LENGTH = 40
"""Tokens of a random model's completion, if nothing cuts it; lengths are geometric."""


@dataclass(frozen=True, slots=True)
class Task:
    """Prompts, longest first, and the model that goes on with them."""

    model: Any
    pad: int
    end: frozenset[int]
    prompts: Prompts
    max_new_tokens: int


def make_task(name: str, count: int, max_new_tokens: int | None = None) -> Task:
    """Return COUNT prompts for the model called NAME."""
    sizes = {"small": SMALL, "large": LARGE}
    task = _random(sizes[name], count) if name in sizes else _tiny(count)
    return replace(task, max_new_tokens=max_new_tokens) if max_new_tokens else task


def _tiny(count: int) -> Task:
    """The embedded model on the generated instructions: it ends its answers itself."""
    from prefrun.policy.tokenise import Tokeniser
    from prefrun.records.tree import Message, PreferenceTree
    from prefrun_tiny.config import TinyModelConfig
    from prefrun_tiny.model import TinyModel
    from prefrun_ultrafeedback.sample import generate

    loaded = TinyModel(TinyModelConfig()).load()
    tokeniser = Tokeniser(loaded.tokenizer, 512)
    trees = [
        PreferenceTree(str(number), (Message("user", row["instruction"]),))
        for number, row in enumerate(generate(count, seed=0, held_out=True))
    ]
    prompts = sorted(tokeniser.prompt_ids(trees, 64), key=len, reverse=True)
    return Task(loaded.model.eval(), loaded.tokenizer.pad_token_id, tokeniser.stop_ids, prompts, 64)


def _random(size: ModelSize, count: int) -> Task:
    """A random Llama on random prompts of 32 to 256 tokens; a bias makes its end token likely."""
    shape = Shape(model=size)
    model: Any = make_model(shape, seed=0)
    head = model.lm_head
    biased = torch.nn.Linear(head.in_features, head.out_features)
    end = model.config.eos_token_id
    with torch.no_grad():
        biased.weight.copy_(head.weight)
        biased.bias.zero_()
        biased.bias[end] = math.log(shape.vocabulary / MEAN_LENGTH)
    model.lm_head = biased
    draw = torch.Generator().manual_seed(1)
    lengths = torch.randint(32, 257, (count,), generator=draw).sort(descending=True).values
    prompts = [
        tuple(torch.randint(3, shape.vocabulary, (length,), generator=draw).tolist())
        for length in lengths.tolist()
    ]
    return Task(model, model.config.pad_token_id, frozenset({end}), prompts, 128)


def make_sides(task: Task, completions: int, rows: int) -> dict[str, Side]:
    """Return both sides, which draw ROWS of the COMPLETIONS of each prompt together."""

    def ours(prompts: Prompts, seed: int) -> Completions:
        requests = [
            Request(prompt, f"{place} {number}")
            for place, prompt in enumerate(prompts)
            for number in range(completions)
        ]
        rules = Rules(task.max_new_tokens, temperature=1.0, top_p=1.0, seed=seed)
        stops = Stops(task.model, None, task.end)
        with torch.no_grad():
            drawn = sample(task.model, task.pad, requests, rules, stops, rows)
        return _grouped([each.ids for each in drawn], completions)

    def theirs(prompts: Prompts, seed: int) -> Completions:
        torch.manual_seed(seed)
        found = []
        for start in range(0, len(prompts), rows // completions):
            part = prompts[start : start + rows // completions]
            ids, mask = padded(part, task.pad, task.model.device)
            output = task.model.generate(
                ids,
                attention_mask=mask,
                do_sample=True,
                num_return_sequences=completions,
                max_new_tokens=task.max_new_tokens,
                temperature=1.0,
                top_k=0,
                top_p=1.0,
                eos_token_id=sorted(task.end),
                pad_token_id=task.pad,
                use_cache=True,
            )
            found += [_with_end(row, task.end) for row in output[:, ids.shape[1] :].tolist()]
        return _grouped(found, completions)

    return dict(zip(NAMES, (ours, theirs), strict=True))


def _with_end(ids: list[int], ends: frozenset[int]) -> tuple[int, ...]:
    """Cut IDS behind the first of ENDS."""
    return tuple(ids[: next((i + 1 for i, token in enumerate(ids) if token in ends), len(ids))])


def _grouped(found: list[tuple[int, ...]], completions: int) -> Completions:
    return [found[start : start + completions] for start in range(0, len(found), completions)]
