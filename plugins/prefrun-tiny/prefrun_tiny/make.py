"""Makes the tiny model anew: python -m prefrun_tiny.make --output DIR --seed 0."""

from __future__ import annotations

import argparse
from itertools import chain, islice
from pathlib import Path
from typing import Any

import torch

from prefrun.training.standalone import optimise_alone
from prefrun_tiny.corpus import MIXED, RIGHT, batches, texts
from prefrun_tiny.measure import quality
from prefrun_tiny.tokenizer import END_ID, PAD_ID, save_tokenizer, train_tokenizer
from prefrun_tiny.training import SETTINGS, Answers, build_model

STEPS, TOKENS_PER_STEP = 4500, 2048
RIGHT_SHARE = 0.6
"""Part of the steps, from the first, that sees right answers only."""

TOKENIZER_EXAMPLES = 20_000
MEASURED_SEEDS = 8
"""Answers per held-out prompt behind the accuracy at temperature 1."""


def main() -> None:
    """Read the command line and make the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    parser.add_argument("--seed", type=int, default=0, help="of weights and data (default 0)")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"default {STEPS}")
    options = parser.parse_args()
    make(options.output, options.seed, options.steps)
    report(options.output)


def make(output: Path, seed: int, steps: int = STEPS) -> None:
    """Train tokenizer and model on generated examples and write them into OUTPUT.

    20 to 30 minutes on one core. The same seed gives the same weights on one machine with one
    thread; other machines round differently.
    """
    torch.manual_seed(seed)
    output.mkdir(parents=True, exist_ok=True)
    tokenizer = train_tokenizer(
        text for pair in islice(texts(seed, MIXED), TOKENIZER_EXAMPLES) for text in pair
    )
    save_tokenizer(tokenizer, output)
    model: Any = build_model(tokenizer.get_vocab_size(), PAD_ID, END_ID)
    first = islice(batches(tokenizer, 2 * seed, RIGHT, TOKENS_PER_STEP), int(RIGHT_SHARE * steps))
    then = batches(tokenizer, 2 * seed + 1, MIXED, TOKENS_PER_STEP)
    optimise_alone(Answers(model, chain(first, then), PAD_ID, steps, print), SETTINGS, seed)
    model.half().save_pretrained(output)


def report(folder: Path) -> None:
    """Print what the model in FOLDER can do on the sample's held-out prompts."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from prefrun_ultrafeedback.sample import train_and_test

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    prompts = [record["instruction"] for record in train_and_test()[1]]
    print(f"{sum(weight.numel() for weight in model.parameters())} parameters")
    for temperature in (0.0, 1.0):
        repeated = prompts * (MEASURED_SEEDS if temperature else 1)
        found = quality(model, tokenizer, repeated, temperature)
        print(f"temperature {temperature}: {found.correct:.1%} right, overall {found.overall:.2f}")


if __name__ == "__main__":
    main()
