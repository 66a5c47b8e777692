"""Trains a tiny causal language model to give the answers of records, by likelihood."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from prefrun.algorithm import LossOutput, Term
from prefrun.policy.tokenise import TokenisedTree
from prefrun.schema import TrainerConfig
from prefrun.training.standalone import optimise_alone
from prefrun.training.step_loop import MicroBatch, StepLoop
from prefrun_lab.config import ScratchModelConfig
from prefrun_lab.vocabulary import MAX_TOKENS, LabTokenizer

IGNORED = -100
WARM_UP = 0.1
"""Part of the steps in which the learning rate rises."""
Example = tuple[str, tuple[int, ...], tuple[int, ...]]
"""The record's id, and ids of a prompt and of an answer with its end."""


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
    if not config.steps:
        return
    settings = TrainerConfig(
        learning_rate=config.learning_rate,
        lr_scheduler="cosine",
        warmup_steps=round(WARM_UP * config.steps),
        optimizer="adamw_torch",
    )
    optimise_alone(Likelihood(model, trees, config, pad), settings, config.seed, show)


class Likelihood(StepLoop):
    """Batches of answers in random order; each is drawn once before any is drawn again."""

    betas = (0.9, 0.98)
    rate_key = "model.learning_rate"

    def __init__(
        self,
        model: LlamaForCausalLM,
        trees: Sequence[TokenisedTree],
        config: ScratchModelConfig,
        pad: int,
    ) -> None:
        self.model, self.modules, self.steps = model, {"model": model}, config.steps
        self.pad = pad
        self.batches = _batches(trees, config.batch_size, config.seed)

    def step(self, number: int) -> Sequence[MicroBatch]:
        """Return the next batch."""
        del number
        batch = next(self.batches)
        return [MicroBatch(lambda: self._loss(batch), ids=tuple(example[0] for example in batch))]

    def _loss(self, batch: Sequence[Example]) -> LossOutput:
        ids, mask, labels = collate([example[1:] for example in batch], self.pad)
        loss = self.model(input_ids=ids, attention_mask=mask, labels=labels).loss
        return LossOutput({"likelihood": Term(loss[None], torch.ones(1))})


def _batches(trees: Sequence[TokenisedTree], size: int, seed: int) -> Iterator[list[Example]]:
    examples = [
        (tree.id, prompt, answer)
        for tree in trees
        for prompt, answer in zip(tree.prompts, tree.branches, strict=True)
    ]
    draw = torch.Generator().manual_seed(seed)
    order = torch.empty(0, dtype=torch.int64)
    while True:
        while len(order) < size:
            order = torch.cat([order, torch.randperm(len(examples), generator=draw)])
        chosen, order = order[:size], order[size:]
        yield [examples[number] for number in chosen.tolist()]


def collate(
    batch: Sequence[tuple[tuple[int, ...], tuple[int, ...]]], pad: int
) -> tuple[Tensor, Tensor, Tensor]:
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
