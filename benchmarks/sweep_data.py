"""What a sweep needs on disk: a model folder with its tokenizer, lists of answers, TRL's pairs."""

from __future__ import annotations

import json
import random
from itertools import combinations
from pathlib import Path
from typing import Any

VOCABULARY = 8192
PROMPT = 256
ANSWER = (64, 256)
SPECIAL = ("<pad>", "<eos>", "<unk>", "<|user|>", "<|assistant|>")
CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message.role }}|> {{ message.content }} <eos>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def make_model_folder(folder: Path) -> None:
    """Write a Llama of 7.4 M random weights and a tokenizer with a token for each word 'w5'."""
    from models import make_model
    from shapes import SHAPES
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = [*SPECIAL, *(f"w{number}" for number in range(len(SPECIAL), VOCABULARY))]
    level = models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>")
    tokenizer = Tokenizer(level)
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<eos>",
        unk_token="<unk>",
        additional_special_tokens=list(SPECIAL[3:]),
        chat_template=CHAT_TEMPLATE,
    ).save_pretrained(folder)
    make_model(SHAPES["k4_all"], seed=0).save_pretrained(folder)


def write_lists(path: Path, prompts: int, answers: int) -> list[dict[str, Any]]:
    """Write records in UltraFeedback's layout, and return them."""
    draw = random.Random(0)
    records = [
        {
            "instruction": _words(PROMPT, draw),
            "completions": [
                {"response": _words(draw.randint(*ANSWER), draw), "overall_score": float(score)}
                for score in draw.sample(range(answers), answers)
            ],
        }
        for _ in range(prompts)
    ]
    _write(path, records)
    return records


def write_pairs(path: Path, lists: list[dict[str, Any]], choice: str) -> None:
    """Write the pairs of LISTS as TRL's conversational preferences; CHOICE as `algo.pairs`."""
    rows = []
    for record in lists:
        prompt = [{"role": "user", "content": record["instruction"]}]
        order = sorted(record["completions"], key=lambda answer: -answer["overall_score"])
        pairs = combinations(order, 2)
        for better, worse in pairs:
            if choice == "all" or better is order[0]:
                rows.append({"prompt": prompt, "chosen": _turn(better), "rejected": _turn(worse)})
    _write(path, rows)


def _turn(answer: dict[str, Any]) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": answer["response"]}]


def _words(count: int, draw: random.Random) -> str:
    return " ".join(f"w{draw.randrange(len(SPECIAL), VOCABULARY)}" for _ in range(count))


def _write(path: Path, records: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
