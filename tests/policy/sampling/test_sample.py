"""Rows that come and go give the completions of transformers' `generate`, one prompt at a time."""

from __future__ import annotations

import logging

import pytest
import torch
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    DynamicCache,
    LogitsProcessor,
    LogitsProcessorList,
    MambaConfig,
    MambaForCausalLM,
)

from prefrun.builtin.config import LoraSettings
from prefrun.policy.adapter import with_lora
from prefrun.policy.attention.switch import is_active, tree_attention
from prefrun.policy.sampling import row_cache
from prefrun.policy.sampling.drawing import uniforms
from prefrun.policy.sampling.request import Request, Rules
from prefrun.policy.sampling.sample import sample
from prefrun.policy.sampling.stops import Stops
from tests.policy.conftest import FAMILIES

STOPS = set(range(7, 400, 13))
PROMPTS = [
    tuple(range(20, 20 + length)) for length in (41, 30, 30, 17, 9, 5, 1)
]  # longer than the windows of 16, and one of them twice
REQUESTS = [
    Request(prompt, f"{place} {number}")
    for place, prompt in enumerate(PROMPTS)
    for number in range(2)
]


def drawn(model, requests=REQUESTS, rows=4, *, length=18, temperature=1.0, top_p=1.0):
    """Completions of at most LENGTH tokens; one of STOPS ends it, or the model's own."""
    stops = Stops(model, None, STOPS)
    model.eval()
    with torch.no_grad():
        return sample(model, 0, requests, Rules(length, temperature, top_p, 5), stops, rows)


class Drawing(LogitsProcessor):
    """Sampling by inverse CDF, as a processor of a greedy search."""

    def __init__(self, numbers, temperature):
        self.numbers, self.temperature = iter(numbers), temperature

    def __call__(self, input_ids, scores):
        cdf = (scores.double() / self.temperature).softmax(-1).cumsum(-1)
        token = int(torch.searchsorted(cdf[0], next(self.numbers) * cdf[0, -1], right=True))
        return torch.full_like(scores, -torch.inf).index_fill(1, torch.tensor(token), 0.0)


def reference(model, request, *, length=18, temperature=1.0):
    """Ids of one completion by transformers, with its end token."""
    processors = LogitsProcessorList()
    if temperature:
        numbers = uniforms(5, [request.name], length)[0]
        processors.append(Drawing(numbers, temperature))
    with torch.no_grad():
        output = model.generate(
            torch.tensor([request.prompt]),
            attention_mask=torch.ones(1, len(request.prompt), dtype=torch.long),
            do_sample=False,
            max_new_tokens=length,
            eos_token_id=[*STOPS, 4],
            pad_token_id=0,
            logits_processor=processors,
        )
    return tuple(output[0, len(request.prompt) :].tolist())


def bloom():
    """A model whose positions are in its attention, counted from the mask."""
    torch.manual_seed(0)
    config = BloomConfig(
        vocab_size=400,
        hidden_size=32,
        n_layer=2,
        n_head=4,
        initializer_range=0.15,
        eos_token_id=4,
    )
    return BloomForCausalLM(config).eval()


def mamba():
    """A model without keys and values."""
    torch.manual_seed(0)
    config = MambaConfig(
        vocab_size=400, hidden_size=32, num_hidden_layers=2, state_size=4, eos_token_id=4
    )
    return MambaForCausalLM(config).eval()


@pytest.mark.parametrize(
    ("family", "temperature"),
    [("llama", 0.0), ("mamba", 0.0), *((each, 0.8) for each in (*FAMILIES, "bloom", "mamba"))],
)
def test_completions_are_those_of_transformers(make_model, family, temperature, caplog):
    own = {"bloom": bloom, "mamba": mamba}
    model = own[family]() if family in own else make_model(family)
    with caplog.at_level(logging.WARNING):
        found = drawn(model, temperature=temperature)
    assert ("slower" in caplog.text) == (family == "mamba")
    wanted = [reference(model, request, temperature=temperature) for request in REQUESTS]
    assert [each.ids for each in found] == wanted
    assert [each.ended for each in found] == [ids[-1] in {*STOPS, 4} for ids in wanted]
    assert len({len(ids) for ids in wanted}) > 2 or temperature == 0


@pytest.mark.parametrize("make", ["llama", "mamba"])
def test_logps_are_those_of_the_whole_row(make_model, make):
    model = mamba() if make == "mamba" else make_model(make)
    for request, each in zip(REQUESTS, drawn(model, temperature=0.5, top_p=0.9), strict=True):
        whole = torch.tensor([[*request.prompt, *each.ids]])
        with torch.no_grad():
            logps = model(whole).logits[0, len(request.prompt) - 1 : -1].log_softmax(-1)
        wanted = logps.gather(1, torch.tensor(each.ids)[:, None])[:, 0]
        torch.testing.assert_close(each.logps, wanted, rtol=1e-4, atol=1e-4)
        assert each.logps.dtype == torch.float32


@pytest.mark.parametrize("rows", [1, 2, 5, 64])
def test_number_of_rows_changes_nothing(make_model, rows, monkeypatch):
    model = make_model("gemma3")
    wanted = [each.ids for each in drawn(model)]
    assert [each.ids for each in drawn(model, rows=rows)] == wanted
    monkeypatch.setattr(row_cache, "SPARE", 1)  # new buffers at almost every step
    assert [each.ids for each in drawn(model, rows=rows)] == wanted


def test_requests_may_come_in_any_order(make_model):
    model = make_model("llama")
    wanted = [each.ids for each in drawn(model)]
    assert [each.ids for each in drawn(model, REQUESTS[::-1])] == wanted[::-1]


def test_a_prompt_goes_through_the_model_once_and_ended_rows_leave(make_model):
    model = make_model("llama")
    drawn(model)  # the first call also tries the model's cache
    seen = []
    model.model.embed_tokens.register_forward_hook(
        lambda module, inputs, output: seen.append(tuple(inputs[0].shape))
    )
    requests = REQUESTS[:-2]  # without the prompt of one token
    found = drawn(model, requests, rows=6)
    prompts = sum(shape[0] for shape in seen if shape[1] > 1)
    assert prompts == len({request.prompt for request in requests})
    steps = sum(shape[0] for shape in seen if shape[1] == 1)
    assert steps == sum(len(each.ids) - 1 for each in found)  # the first follows from the prompt


def test_adapter_takes_part(make_model):
    plain = make_model("llama")
    wanted = [each.ids for each in drawn(plain)]
    model = with_lora(plain, LoraSettings(rank=2))
    assert [each.ids for each in drawn(model)] == wanted
    torch.manual_seed(3)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.5)
    found = drawn(model)
    assert [each.ids for each in found] != wanted
    assert [each.ids for each in found] == [reference(model, each) for each in REQUESTS]


def test_inside_tree_attention_completions_are_the_same(make_model):
    model = make_model("llama")
    wanted = [each.ids for each in drawn(model)]
    with tree_attention(model):
        assert [each.ids for each in drawn(model)] == wanted
        assert is_active(model)
    assert not is_active(model)


def test_a_model_that_refuses_the_cache_is_sampled_all_the_same(make_model, caplog):
    model = make_model("llama")
    wanted = [each.ids for each in drawn(model)]
    other = make_model("llama")
    forward = other.forward

    def own_cache_only(*args, past_key_values=None, **rest):
        if past_key_values is not None and not isinstance(past_key_values, DynamicCache):
            raise TypeError("no cache from outside")
        return forward(*args, past_key_values=past_key_values, **rest)

    other.forward = own_cache_only
    with caplog.at_level(logging.WARNING):
        assert [each.ids for each in drawn(other)] == wanted
    assert "no cache from outside" in caplog.text


def test_narrow_nucleus_is_greedy(make_model):
    model = make_model("llama")
    greedy = [each.ids for each in drawn(model, temperature=0.0)]
    assert [each.ids for each in drawn(model, top_p=1e-6)] == greedy


def test_no_request_gives_no_completion(make_model):
    assert drawn(make_model("llama"), []) == []
