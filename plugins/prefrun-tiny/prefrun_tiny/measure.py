"""How good the tiny model's answers are, by the sample's judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from prefrun_ultrafeedback.judge import Verdict

LONGEST_ANSWER = 48
"""Tokens; answers in the sample have at most about 45."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Means over answers."""

    correct: float
    """Share of right answers, 0..1."""
    overall: float
    """Mean overall score, 1..10."""

    @classmethod
    def of(cls, verdicts: Sequence[Verdict]) -> Quality:
        """Return the means of VERDICTS."""
        count = len(verdicts)
        right = sum(verdict.correct for verdict in verdicts) / count
        return cls(right, sum(verdict.overall for verdict in verdicts) / count)


@torch.no_grad()
def answers(
    model: Any,
    tokenizer: Any,
    instructions: Sequence[str],
    temperature: float,
    seed: int = 0,
) -> list[str]:
    """Return one answer per instruction; temperature 0 is greedy. MODEL is a causal LM."""
    torch.manual_seed(seed)
    chats = [[{"role": "user", "content": text}] for text in instructions]
    inputs = tokenizer.apply_chat_template(
        chats,
        add_generation_prompt=True,
        padding=True,
        return_tensors="pt",
        return_dict=True,
        tokenizer_kwargs={"padding_side": "left"},
    )
    sampling = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {}
    made = model.eval().generate(**inputs, max_new_tokens=LONGEST_ANSWER, **sampling)
    start = inputs["input_ids"].shape[1]
    given: list[str] = tokenizer.batch_decode(made[:, start:], skip_special_tokens=True)
    return given


def quality(
    model: Any,
    tokenizer: Any,
    instructions: Sequence[str],
    temperature: float,
) -> Quality:
    """Return the judged quality of one answer per instruction."""
    from prefrun_ultrafeedback.judge import judge

    given = answers(model, tokenizer, instructions, temperature)
    return Quality.of([judge(*pair) for pair in zip(instructions, given, strict=True)])
