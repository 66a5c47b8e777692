"""Making the model anew: a few steps, so that the script keeps working."""

from itertools import islice

import pytest

pytest.importorskip("prefrun_ultrafeedback.judge", reason="the instructions come from its sample")

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from prefrun_tiny.corpus import MIXED, RIGHT, Example, batches, texts
from prefrun_tiny.make import main, make
from prefrun_tiny.tokenizer import train_tokenizer
from prefrun_tiny.training import IGNORED, collate, learning_rate
from prefrun_ultrafeedback.judge import judge
from prefrun_ultrafeedback.sample import is_held_out


@pytest.fixture
def quick(monkeypatch):
    """Fewer examples and answers than for the real model, on one thread."""
    monkeypatch.setattr("prefrun_tiny.make.TOKENIZER_EXAMPLES", 1500)
    monkeypatch.setattr("prefrun_tiny.make.MEASURED_SEEDS", 1)
    monkeypatch.setattr("prefrun_tiny.measure.LONGEST_ANSWER", 4)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_same_seed_same_files(tmp_path, quick):
    make(tmp_path / "one", seed=3, steps=2)
    make(tmp_path / "two", seed=3, steps=2)
    for name in ("model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_command_writes_a_model_and_says_how_good_it_is(tmp_path, quick, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["make", "--output", str(tmp_path), "--steps", "1"])
    main()
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert model.config.vocab_size == len(AutoTokenizer.from_pretrained(tmp_path))
    printed = capsys.readouterr().out
    assert "temperature 0.0: 0.0% right" in printed
    assert "temperature 1.0: 0.0% right" in printed


def test_no_held_out_instruction_is_learned():
    assert not any(is_held_out(instruction) for instruction, _ in islice(texts(0, MIXED), 2000))


def test_answers_are_right_or_of_every_quality():
    right = [judge(*pair).correct for pair in islice(texts(1, RIGHT), 300)]
    mixed = [judge(*pair).correct for pair in islice(texts(1, MIXED), 600)]
    assert all(right)
    assert 0.5 < sum(mixed) / len(mixed) < 0.7


def test_batches_hold_examples_of_like_length():
    tokenizer = train_tokenizer(text for pair in islice(texts(0, MIXED), 300) for text in pair)
    for batch in islice(batches(tokenizer, 0, MIXED, tokens=1024), 20):
        sizes = [len(example) for example in batch]
        assert max(sizes) * len(sizes) <= 1024
        assert max(sizes) - min(sizes) < 16


def test_only_answers_are_learned():
    ids, mask, labels = collate([Example([5, 6], [7, 1]), Example([5, 6, 8], [9, 9, 1])], pad=0)
    assert ids.tolist() == [[5, 6, 7, 1, 0, 0], [5, 6, 8, 9, 9, 1]]
    assert mask.tolist() == [[1, 1, 1, 1, 0, 0], [1] * 6]
    no = IGNORED
    assert labels.tolist() == [[no, no, 7, 1, no, no], [no, no, no, 9, 9, 1]]


def test_rate_rises_then_falls():
    rates = [learning_rate(step, 1000) for step in range(1000)]
    peak = rates.index(max(rates))
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert 0 < rates[-1] < rates[peak] / 50
