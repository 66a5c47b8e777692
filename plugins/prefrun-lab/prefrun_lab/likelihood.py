"""Trains a tiny causal language model to give the answers of records, by likelihood."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, get_cosine_schedule_with_warmup

from prefrun.policy.tokenise import TokenisedTree
from prefrun_lab.config import ScratchModelConfig
from prefrun_lab.vocabulary import MAX_TOKENS, LabTokenizer

IGNORED = -100
WARM_UP = 0.1
"""Part of the steps in which the learning rate rises."""
CLIP = 1.0
Example = tuple[tuple[int, ...], tuple[int, ...]]
"""Ids of a prompt and of an answer with its end."""


def build_model(config: ScratchModelConfig, tokenizer: LabTokenizer) -> LlamaForCausalLM:
    """Return an untrained Llama: RMSNorm, rotary positions, input and output embeddings tied."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=config.hidden,
            intermediate_size=4 * config.hidden,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            num_key_value_heads=config.heads,
            max_position_embeddings=MAX_TOKENS,
            tie_word_embeddings=True,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )


def learn(
    model: LlamaForCausalLM,
    trees: Sequence[TokenisedTree],
    config: ScratchModelConfig,
    pad: int,
    show: Callable[[int, int], None],
) -> None:
    """Maximise the mean log-prob of the tokens of the branches of TREES, given their prompts."""
    examples = [
        (prompt, answer)
        for tree in trees
        for prompt, answer in zip(tree.prompts, tree.branches, strict=True)
    ]
    draw = torch.Generator().manual_seed(config.seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate, betas=(0.9, 0.98))
    warm_up = round(WARM_UP * config.steps)
    schedule = get_cosine_schedule_with_warmup(optimizer, warm_up, config.steps)
    model.train()
    order = torch.empty(0, dtype=torch.int64)
    for step in range(config.steps):
        while len(order) < config.batch_size:
            order = torch.cat([order, torch.randperm(len(examples), generator=draw)])
        chosen, order = order[: config.batch_size], order[config.batch_size :]
        ids, mask, labels = collate([examples[number] for number in chosen.tolist()], pad)
        loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        schedule.step()
        show(step + 1, config.steps)
    model.train(False)


def collate(batch: Sequence[Example], pad: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return token ids, attention mask and labels, each [examples, longest]; answers only."""
    longest = max(len(prompt) + len(answer) for prompt, answer in batch)
    ids = torch.full((len(batch), longest), pad)
    mask = torch.zeros_like(ids)
    labels = torch.full_like(ids, IGNORED)
    for row, (prompt, answer) in enumerate(batch):
        end = len(prompt) + len(answer)
        ids[row, :end] = torch.tensor([*prompt, *answer])
        mask[row, :end] = 1
        labels[row, len(prompt) : end] = torch.tensor(answer)
    return ids, mask, labels
