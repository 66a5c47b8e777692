"""Builds the tiny model and trains it on answers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import torch

from prefrun_tiny.corpus import Example
from prefrun_tiny.tokenizer import MAX_TOKENS

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

IGNORED = -100
PEAK_RATE, WARM_UP, DECAY, CLIP = 3e-3, 100, 0.05, 1.0


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


def train(
    model: LlamaForCausalLM,
    source: Iterator[list[Example]],
    pad: int,
    steps: int,
    report: Callable[[str], None],
) -> None:
    """Minimise the negative log-likelihood of the answers, with AdamW and a cosine schedule."""
    matrices = [weight for weight in model.parameters() if weight.dim() > 1]
    vectors = [weight for weight in model.parameters() if weight.dim() < 2]
    groups = [{"params": matrices, "weight_decay": DECAY}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=PEAK_RATE, betas=(0.9, 0.98))
    model.train()
    mean, began = math.nan, time.monotonic()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps)
        ids, mask, labels = collate(next(source), pad)
        loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        optimizer.zero_grad()
        mean = loss.item() if step == 0 else 0.98 * mean + 0.02 * loss.item()
        if (step + 1) % 100 == 0 or step + 1 == steps:
            report(f"step {step + 1}/{steps} loss {mean:.4f} {time.monotonic() - began:.0f} s")


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
