"""What the tiny model learns from: sample instructions with answers of every quality."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Shares = Mapping[str, int]
"""Per cent of answers by grade."""

RIGHT: Shares = {"best": 70, "good": 30}
"""Right answers only: the tasks are learned sooner from these."""

MIXED: Shares = {"best": 35, "good": 15, "fair": 20, "poor": 30}
"""Bad answers too, so that preference learning has something to improve."""


@dataclass(frozen=True, slots=True)
class Example:
    """Token ids of a prompt in the chat format, and of the answer with the end of its turn."""

    prompt: list[int]
    answer: list[int]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


def texts(seed: int, shares: Shares) -> Iterator[tuple[str, str]]:
    """Yield (instruction, answer) without end, never one of the sample's held-out instructions."""
    from prefrun_ultrafeedback.grades import answer
    from prefrun_ultrafeedback.sample import is_held_out
    from prefrun_ultrafeedback.tasks import draw_instruction, parse

    rng = Random(f"prefrun/tiny {seed}")
    while True:
        instruction = draw_instruction(rng)
        if not is_held_out(instruction):
            grade = rng.choices(list(shares), list(shares.values()))[0]
            yield instruction, answer(parse(instruction), grade, rng)


def examples(tokenizer: Tokenizer, seed: int, shares: Shares) -> Iterator[Example]:
    """Yield `texts` as token ids."""
    for instruction, answer in texts(seed, shares):
        prompt = tokenizer.encode(f"<|user|>{instruction}<|end|><|assistant|>").ids
        yield Example(prompt, tokenizer.encode(f"{answer}<|end|>").ids)


def batches(
    tokenizer: Tokenizer, seed: int, shares: Shares, tokens: int
) -> Iterator[list[Example]]:
    """Yield batches of about TOKENS tokens each, of examples of like length, in random order."""
    source, rng = examples(tokenizer, seed, shares), Random(seed)
    while True:
        pool = sorted((next(source) for _ in range(4096)), key=len)
        ready: list[list[Example]] = [[]]
        for example in pool:
            if len(example) * (len(ready[-1]) + 1) > tokens:
                ready.append([])
            ready[-1].append(example)
        rng.shuffle(ready)
        yield from ready
