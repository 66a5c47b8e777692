"""Builds the tiny model and trains it on answers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from prefrun.algorithm import LossOutput, Term
from prefrun.schema import TrainerConfig
from prefrun.training.step_loop import MicroBatch, StepLoop
from prefrun_tiny.corpus import Example
from prefrun_tiny.tokenizer import MAX_TOKENS

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

IGNORED = -100
PEAK_RATE, WARM_UP = 3e-3, 100
SETTINGS = TrainerConfig(weight_decay=0.05, optimizer="adamw_torch")
REPORTED = 100
"""Steps between two reports."""


def build_model(vocabulary: int, pad: int, end: int) -> LlamaForCausalLM:
    """Return an untrained Llama model of about one million parameters."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=MAX_TOKENS,
        tie_word_embeddings=True,
        initializer_range=0.06,
        attention_dropout=0.0,
        pad_token_id=pad,
        bos_token_id=None,
        eos_token_id=end,
    )
    return LlamaForCausalLM(config)


class Answers(StepLoop):
    """Minimises the negative log-likelihood of the answers, with a cosine schedule."""

    betas = (0.9, 0.98)
    rate_key = "PEAK_RATE"

    def __init__(
        self,
        model: LlamaForCausalLM,
        source: Iterator[list[Example]],
        pad: int,
        steps: int,
        report: Callable[[str], None],
    ) -> None:
        self.modules, self.steps = {"model": model}, steps
        self.schedule = lambda step: learning_rate(step, steps)
        self.model, self.source, self.pad, self.report = model, source, pad, report
        self._mean, self._began = math.nan, time.monotonic()

    def step(self, number: int) -> Sequence[MicroBatch]:
        """Return the next batch."""
        del number
        batch = next(self.source)
        return [MicroBatch(lambda: self._loss(batch))]

    def _loss(self, batch: list[Example]) -> LossOutput:
        ids, mask, labels = collate(batch, self.pad)
        loss = self.model(input_ids=ids, attention_mask=mask, labels=labels).loss
        return LossOutput({"answers": Term(loss[None], torch.ones(1))}, sums={"loss": loss})

    def step_done(self, number: int, sums: Mapping[str, Tensor]) -> None:
        """Report the loss, a moving average."""
        loss = sums["loss"].item()
        self._mean = loss if number == 0 else 0.98 * self._mean + 0.02 * loss
        done, seconds = number + 1, time.monotonic() - self._began
        if done % REPORTED == 0 or done == self.steps:
            self.report(f"step {done}/{self.steps} loss {self._mean:.4f} {seconds:.0f} s")


def learning_rate(step: int, steps: int) -> float:
    """Return the rate of STEP: a linear warm-up, then half a cosine down to a hundredth."""
    if step < WARM_UP:
        return PEAK_RATE * (step + 1) / WARM_UP
    done = (step - WARM_UP) / max(1, steps - WARM_UP)
    return PEAK_RATE * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def collate(batch: list[Example], pad: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return token ids, attention mask and labels, each [examples, longest]; answers only."""
    longest = max(map(len, batch))
    rows, masks, labels = [], [], []
    for example in batch:
        gap = longest - len(example)
        rows.append(example.prompt + example.answer + [pad] * gap)
        masks.append([1] * len(example) + [0] * gap)
        labels.append([IGNORED] * len(example.prompt) + example.answer + [IGNORED] * gap)
    return torch.tensor(rows), torch.tensor(masks), torch.tensor(labels)
