"""Makes the model of model=chain: python -m prefrun_tpo.make --output DIR --seed 0."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor

from prefrun.algorithm import LossOutput, Term
from prefrun.schema import TrainerConfig
from prefrun.training.standalone import optimise_alone
from prefrun.training.step_loop import MicroBatch, StepLoop
from prefrun_tpo.chain import draw, parse, solve, verify
from prefrun_tpo.chain_tokenizer import END_ID, MAX_TOKENS, PAD_ID, make_tokenizer, save_tokenizer

STEPS, BATCH, PEAK_RATE, WARM_UP = 380, 64, 3e-3, 50
SETTINGS = TrainerConfig(weight_decay=0.01, optimizer="adamw_torch")
CHAIN_STEPS, ERROR_RATE = 4, 0.3
MEASURED, MEASURED_EVERY = 256, 50
IGNORED = -100


def main() -> None:
    """Read the command line and make the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    parser.add_argument("--seed", type=int, default=0, help="of weights and data (default 0)")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"default {STEPS}")
    options = parser.parse_args()
    make(options.output, options.seed, options.steps)


def make(output: Path, seed: int, steps: int = STEPS) -> None:
    """Fine-tune an untrained model on solutions with 30 % wrong steps and write it into OUTPUT.

    Half a minute on one core. STEPS ends it when about half of the greedy answers are right, so
    that there is something left to improve. The same seed gives the same weights on one machine
    with one thread; other machines round differently.
    """
    torch.manual_seed(seed)
    output.mkdir(parents=True, exist_ok=True)
    save_tokenizer(output)
    tokenizer = make_tokenizer()
    model = build_model(tokenizer.get_vocab_size())
    loop = Solutions(model, tokenizer, Random(f"prefrun/chain model {seed}"), steps)
    optimise_alone(loop, SETTINGS, seed)
    model.half().save_pretrained(output)


class Solutions(StepLoop):
    """Minimises the negative log-likelihood of noisy solutions."""

    rate_key = "PEAK_RATE"

    def __init__(self, model: Any, tokenizer: Any, rng: Random, steps: int) -> None:
        self.modules, self.steps = {"model": model}, steps
        self.schedule = lambda step: PEAK_RATE * min(1.0, (step + 1) / WARM_UP)
        self.model, self.tokenizer, self.rng = model, tokenizer, rng

    def step(self, number: int) -> Sequence[MicroBatch]:
        """Return new exercises."""
        del number
        ids, labels = batch(self.tokenizer, self.rng)
        return [MicroBatch(lambda: self._loss(ids, labels))]

    def _loss(self, ids: Tensor, labels: Tensor) -> LossOutput:
        loss = self.model(input_ids=ids, labels=labels).loss
        return LossOutput({"solutions": Term(loss[None], torch.ones(1))}, sums={"loss": loss})

    def step_done(self, number: int, sums: Mapping[str, Tensor]) -> None:
        """Measure now and then."""
        done = number + 1
        if done % MEASURED_EVERY == 0 or done == self.steps:
            right = greedy_accuracy(self.model, self.tokenizer)
            loss = sums["loss"].item()
            print(f"step {done}/{self.steps} loss {loss:.3f} greedy answers right {right:.1%}")


def build_model(vocabulary: int) -> Any:
    """Return an untrained Llama of two layers and 64 hidden units."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=64,
        intermediate_size=192,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=MAX_TOKENS,
        tie_word_embeddings=True,
        initializer_range=0.06,
        attention_dropout=0.0,
        pad_token_id=PAD_ID,
        bos_token_id=None,
        eos_token_id=END_ID,
    )
    return LlamaForCausalLM(config)


def batch(tokenizer: Any, rng: Random) -> tuple[Tensor, Tensor]:
    """Return BATCH exercises with noisy solutions: ids and labels [BATCH, T], all of one length."""
    rows, labels = [], []
    for _ in range(BATCH):
        chain = draw(CHAIN_STEPS, rng, for_trees=False)
        prompt = tokenizer.encode(chain.prompt).ids
        answer = tokenizer.encode("".join(solve(chain, 0, ERROR_RATE, rng))).ids
        rows.append([*prompt, *answer, END_ID])
        labels.append([*[IGNORED] * len(prompt), *answer, END_ID])
    return torch.tensor(rows), torch.tensor(labels)


@torch.no_grad()
def greedy_accuracy(model: Any, tokenizer: Any) -> float:
    """Return the share of right answers on exercises the model has not learned from."""
    rng = Random("prefrun/chain measured")
    prompts = [draw(CHAIN_STEPS, rng, for_trees=True).prompt for _ in range(MEASURED)]
    ids = torch.tensor([tokenizer.encode(prompt).ids for prompt in prompts])
    made = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=40,
        do_sample=False,
        pad_token_id=PAD_ID,
    )
    texts = tokenizer.decode_batch(made[:, ids.shape[1] :].tolist())
    pairs = zip(prompts, texts, strict=True)
    return sum(verify(parse(prompt), text).answer for prompt, text in pairs) / MEASURED


if __name__ == "__main__":
    main()
