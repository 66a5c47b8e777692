"""Candidates sampled with shared keys and values are those of separate generation."""

from __future__ import annotations

import logging

import pytest
import torch

from prefrun.policy.sampling.request import Request, Rules
from prefrun.policy.sampling.sample import sample
from prefrun.policy.sampling.stops import Stops
from prefrun.policy.scoring import inference
from prefrun_rps import shared_prompts
from prefrun_rps.shared_prompts import CandidateSampler, Sampling, common_prefix

prefilled = shared_prompts._prefilled
FAMILIES = ("bloom", "gpt2", "gpt_neox", "llama", "mamba", "mistral", "qwen2")
GREEDY = Sampling(max_new_tokens=12, temperature=0.0, top_p=1.0, seed=0)
WARM = Sampling(max_new_tokens=12, temperature=0.9, top_p=0.9, seed=3)


def group(tokenizer, text, numbers):
    texts = [f"A sentence that all share, {text}: {number} and the rest." for number in numbers]
    return [tuple(ids) for ids in tokenizer(texts)["input_ids"]]


def alone(model, ids):
    """The greedy answer to one prompt, without end token."""
    stops = Stops(model, None, {1})
    with inference(model):
        (drawn,) = sample(model, 0, [Request(ids, "x")], Rules(12, 0.0, 1.0, 0), stops, 1)
    return [token for token in drawn.ids if token not in stops.ids]


@pytest.fixture
def groups(tokenizer):
    """RPS: prompts differ in the middle, and in length. Best-of-n: they are equal."""
    return [
        group(tokenizer, "first", [7, 1234, 7, 55]),
        group(tokenizer, "a second and longer one", [1, 1, 1, 1]),
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_answers_are_those_of_separate_generation(make_model, family, groups):
    model = make_model(family)
    sampler = CandidateSampler(model, 0, {1})
    found = sampler.sample(groups, [f"c{i}" for i in range(8)], GREEDY)
    separate = [[alone(model, ids) for ids in prompts] for prompts in groups]
    assert found == separate
    assert len({tuple(ids) for ids in found[0]}) > 1  # the prompts' differences matter


@pytest.mark.parametrize("family", sorted({*FAMILIES} - {"mamba"}))
def test_these_families_do_share(make_model, family, groups, caplog):
    sampler = CandidateSampler(make_model(family), 0, {1})
    with caplog.at_level(logging.WARNING):
        assert sampler._can_share(groups, GREEDY)
    assert not caplog.records


def test_a_shared_prefix_goes_through_the_model_once(llama, groups):
    sampler = CandidateSampler(llama, 0, {1})
    sampler.sample(groups, list("abcdefgh"), GREEDY)  # the first call also tries both ways
    seen = []
    hook = llama.model.embed_tokens.register_forward_hook(
        lambda module, inputs, output: seen.append(inputs[0].shape)
    )
    sampler.sample(groups, list("abcdefgh"), GREEDY)
    hook.remove()
    prefix = max(map(common_prefix, groups))
    rest = max(len(ids) - common_prefix(prompts) for prompts in groups for ids in prompts)
    assert [tuple(shape) for shape in seen[:2]] == [(2, prefix), (8, rest)]
    assert all(tuple(shape) == (8, 1) for shape in seen[2:])


def test_a_sliding_window_that_padding_would_shift_is_not_shared(make_model, groups):
    model = make_model("mistral", sliding_window=64)
    sampler = CandidateSampler(model, 0, {1})
    assert not sampler._can_share(groups, GREEDY)
    separate = [alone(model, ids) for ids in groups[0]]
    assert sampler.sample(groups[:1], list("abcd"), GREEDY) == [separate]


def refused(causal_lm, rows, k):
    raise TypeError("no cache from outside")


def spoilt(causal_lm, rows, k):
    cache = prefilled(causal_lm, rows, k)
    cache.layers[0].values += 1.0
    return cache


@pytest.mark.parametrize(("made", "reason"), [(refused, "from outside"), (spoilt, "keys differ")])
def test_where_sharing_fails_whole_prompts_are_computed(
    llama, groups, caplog, monkeypatch, made, reason
):
    shared = CandidateSampler(llama, 0, {1}).sample(groups, list("abcdefgh"), GREEDY)
    monkeypatch.setattr(shared_prompts, "_prefilled", made)
    whole = CandidateSampler(llama, 0, {1}).sample(groups, list("abcdefgh"), GREEDY)
    assert whole == shared
    assert reason in caplog.text


def test_random_numbers_follow_the_candidates_name_alone(llama, groups):
    sampler = CandidateSampler(llama, 0, {1})
    together = sampler.sample(groups, list("abcdefgh"), WARM)
    alone = sampler.sample(groups[1:], list("efgh"), WARM)
    assert together[1] == alone[0]
    assert len({tuple(ids) for ids in together[1]}) > 1  # equal prompts, other numbers
    torch.manual_seed(99)
    assert sampler.sample(groups, list("abcdefgh"), WARM) == together


def test_top_p_near_zero_is_greedy(llama, groups):
    sampler = CandidateSampler(llama, 0, {1})
    narrow = Sampling(max_new_tokens=12, temperature=0.9, top_p=1e-6, seed=3)
    greedy = sampler.sample(groups, list("abcdefgh"), GREEDY)
    assert sampler.sample(groups, list("abcdefgh"), narrow) == greedy


def test_the_models_own_sampling_defaults_stay_out_and_come_back(make_model, groups):
    model = make_model("llama")
    before = CandidateSampler(model, 0, {1}).sample(groups, list("abcdefgh"), GREEDY)
    model.generation_config.repetition_penalty = 5.0
    own = model.generation_config
    assert CandidateSampler(model, 0, {1}).sample(groups, list("abcdefgh"), GREEDY) == before
    assert model.generation_config is own


def test_a_prefix_leaves_every_prompt_a_token():
    assert common_prefix([(1, 2, 3), (1, 2, 3)]) == 2
    assert common_prefix([(1, 2, 3), (1, 4, 3)]) == 1
    assert common_prefix([(5,), (5, 6)]) == 0
