"""The embedded model and its making."""

from __future__ import annotations

import json
from random import Random

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from prefrun_tpo.chain import draw, solve
from prefrun_tpo.chain_tokenizer import SPECIAL, WORDS
from prefrun_tpo.make import greedy_accuracy, make
from prefrun_tpo.model import WEIGHTS


def test_the_tokenizer_gives_every_exercise_back_in_known_words():
    tokenizer = AutoTokenizer.from_pretrained(WEIGHTS)
    assert len(tokenizer) == len(SPECIAL) + len(WORDS) <= 60
    for seed in range(30):
        chain = draw(12, Random(seed), for_trees=True)
        for text in (chain.prompt, "".join(solve(chain, 0, 0.3, Random(seed)))):
            ids = tokenizer(text)["input_ids"]
            assert tokenizer.unk_token_id not in ids
            assert tokenizer.decode(ids) == text
    assert tokenizer.unk_token_id in tokenizer("x")["input_ids"]


def test_the_model_is_right_on_some_exercises_it_never_saw_and_wrong_on_others():
    model = AutoModelForCausalLM.from_pretrained(WEIGHTS, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(WEIGHTS).backend_tokenizer
    assert 0.4 < greedy_accuracy(model, tokenizer) < 0.7
    assert model.num_parameters() < 200_000


def test_making_it_again_gives_the_same_weights(tmp_path):
    for name in ("one", "two"):
        make(tmp_path / name, seed=3, steps=2)
    one, two = (
        AutoModelForCausalLM.from_pretrained(tmp_path / name, dtype=torch.float32).state_dict()
        for name in ("one", "two")
    )
    assert all(torch.equal(one[name], two[name]) for name in one)
    shipped = json.loads((WEIGHTS / "tokenizer.json").read_text())
    assert json.loads((tmp_path / "one" / "tokenizer.json").read_text()) == shipped
