"""What the tiny model learns from: sample instructions with answers of every quality."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SHARES = {"best": 35, "good": 15, "fair": 20, "poor": 30}
"""Per cent of answers by grade. Bad ones are wanted: preference learning must have work to do."""


@dataclass(frozen=True, slots=True)
class Example:
    """Token ids of a prompt in the chat format, and of the answer with the end of its turn."""

    prompt: list[int]
    answer: list[int]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


def texts(seed: int) -> Iterator[tuple[str, str]]:
    """Yield (instruction, answer) without end, never one of the sample's held-out instructions."""
    from prefrun_ultrafeedback.grades import answer
    from prefrun_ultrafeedback.sample import is_held_out
    from prefrun_ultrafeedback.tasks import draw_instruction, parse

    rng = Random(f"prefrun/tiny {seed}")
    while True:
        instruction = draw_instruction(rng)
        if not is_held_out(instruction):
            grade = rng.choices(list(SHARES), list(SHARES.values()))[0]
            yield instruction, answer(parse(instruction), grade, rng)


def examples(tokenizer: Tokenizer, seed: int) -> Iterator[Example]:
    """Yield `texts` as token ids."""
    for instruction, answer in texts(seed):
        prompt = tokenizer.encode(f"<|user|>{instruction}<|end|><|assistant|>").ids
        yield Example(prompt, tokenizer.encode(f"{answer}<|end|>").ids)


def batches(tokenizer: Tokenizer, seed: int, tokens: int) -> Iterator[list[Example]]:
    """Yield batches of about TOKENS tokens each, of examples of like length, in random order."""
    source, rng = examples(tokenizer, seed), Random(seed)
    while True:
        pool = sorted((next(source) for _ in range(4096)), key=len)
        ready: list[list[Example]] = [[]]
        for example in pool:
            if len(example) * (len(ready[-1]) + 1) > tokens:
                ready.append([])
            ready[-1].append(example)
        rng.shuffle(ready)
        yield from ready
