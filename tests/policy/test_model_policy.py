"""A model as a policy: repeatable answers, exact log-probs, exact divergences."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from prefrun.builtin.config import LoraSettings
from prefrun.errors import ConfigError
from prefrun.policy.adapter import with_lora
from prefrun.policy.attention.kernel import Kernel
from prefrun.policy.model_policy import ModelPolicy
from prefrun.policy.packing import PLAIN, Packing
from prefrun.policy.sampling.drawing import draw, uniforms
from prefrun.policy.tokenise import Tokeniser
from prefrun.records.tree import Branch, PreferenceTree, Step


@pytest.fixture(params=[PLAIN, Packing(Kernel.segments)], ids=["plain", "packed"])
def policy(loaded, request):
    """A tiny random Llama as a policy, two prompts a batch."""
    packing = request.param
    return ModelPolicy(loaded, Tokeniser(loaded.tokenizer, 128), 2, packing, 100)


def other_policy(policy, make_model, family="llama"):
    """The same with other weights."""
    model = make_model(family)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.1)
    return ModelPolicy(replace(policy.loaded, model=model), policy.tokeniser, 3, policy.packing, 90)


def test_answers_repeat_and_follow_the_seed(policy, trees):
    first = policy.generate(trees, 12, 1.0, seed=1)
    assert policy.generate(trees, 12, 1.0, seed=1) == first
    assert policy.generate(trees, 12, 1.0, seed=2) != first


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_answers_do_not_depend_on_order_or_company(policy, trees, temperature):
    answers = policy.generate(trees, 12, temperature, seed=1)
    assert policy.generate(trees[::-1], 12, temperature, seed=1) == answers[::-1]
    assert policy.generate(trees[2:3], 12, temperature, seed=1) == answers[2:3]


def test_greedy_answer_is_the_likeliest_token_each_time(policy, trees):
    (answer,) = policy.generate(trees[:1], 6, 0.0, seed=1)
    ids = list(policy.tokeniser.prompt_ids(trees[:1], 6)[0])
    new = []
    for _ in range(6):
        new.append(int(policy.loaded.model(torch.tensor([ids + new])).logits[0, -1].argmax()))
        if new[-1] in policy.tokeniser.stop_ids:
            break
    assert answer == policy.loaded.tokenizer.decode(new, skip_special_tokens=True)


def test_models_own_sampling_defaults_are_ignored_and_kept(policy, trees):
    wanted = policy.generate(trees, 12, 0.0, seed=1)
    own = policy.loaded.model.generation_config
    own.repetition_penalty, own.suppress_tokens, own.max_length = 5.0, list(range(5, 300)), 13
    assert policy.generate(trees, 12, 0.0, seed=1) == wanted
    assert policy.loaded.model.generation_config is own


def test_answers_stop_at_the_end_of_turn(policy, trees):
    with torch.no_grad():
        policy.loaded.model.lm_head.weight.zero_()
    torch.manual_seed(0)
    answers = policy.generate(trees, 100, 1.0, seed=3)
    lengths = {len(policy.loaded.tokenizer(text)["input_ids"]) for text in answers}
    assert len(lengths) > 1
    assert not any("<|im_end|>" in text for text in answers)


def test_global_random_state_is_untouched(policy, trees):
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    policy.generate(trees, 5, 1.0, seed=1)
    policy.logps(trees)
    assert torch.equal(torch.rand(3), wanted)


def test_training_mode_is_restored(policy, trees):
    policy.loaded.model.train()
    policy.generate(trees, 3, 1.0, seed=1)
    policy.kl(trees, ["red"] * 4, policy)
    assert policy.loaded.model.training


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_tokens_are_drawn_with_their_probability(temperature):
    logits = torch.tensor([[1.0, -1.0, 0.5, -torch.inf, 0.0]])
    tokens = draw(logits.expand(20000, -1), uniforms(0, ["x"], 20000)[0], temperature, 1.0)
    shares = torch.bincount(tokens, minlength=5) / 20000
    wanted = (logits[0] / temperature).softmax(-1)
    assert shares[3] == 0
    torch.testing.assert_close(shares, wanted, rtol=0, atol=0.015)


def test_random_numbers_follow_seed_and_name_only():
    numbers = uniforms(7, ["a", "b"], 4)
    assert torch.equal(uniforms(7, ["b"], 4)[0], numbers[1])
    assert not torch.equal(numbers[0], numbers[1])
    assert not torch.equal(uniforms(8, ["a"], 4)[0], numbers[0])


def test_logps_come_in_the_order_asked(policy, trees):
    results = policy.logps(trees)
    for tree, result in zip(trees, results, strict=True):
        alone = policy.logps([tree])[0]
        assert result.lengths == alone.lengths
        assert result.sums == pytest.approx(alone.sums, abs=1e-4)
        assert not any(values.requires_grad for values in result.token_logps)
    assert policy.logps(trees[::-1])[::-1][0].sums == results[0].sums


def test_answers_that_are_equal_token_by_token_are_known(loaded):
    branches = tuple(Branch((Step(text),)) for text in ("red " * 40, "red " * 41, "blue"))
    tree = PreferenceTree("t", "name a colour: ", branches)
    tokeniser = Tokeniser(loaded.tokenizer, 24)
    policy = ModelPolicy(loaded, tokeniser, 2, PLAIN, 100)
    both = [tree, replace(tree, branches=branches[1:])]
    assert [logps.has_equal for logps in policy.logps(both)] == [True, False]


def test_trees_without_answers_have_no_logps(policy, trees):
    bare = [replace(tree, branches=()) for tree in trees]
    assert [result.sums for result in policy.logps(bare)] == [[]] * 4
    assert policy.generate(bare, 5, 1.0, 1) == policy.generate(trees, 5, 1.0, 1)


def naive_kl(policy, other, tree, response):
    """Sum over the positions of the answer, its end of turn included, from full logits."""
    tokenizer = policy.loaded.tokenizer
    chat = [{"role": m.role, "content": m.content} for m in tree.prompt]
    prompt = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    start = len(tokenizer(prompt)["input_ids"])
    ids = torch.tensor([tokenizer(prompt + response + "<|im_end|>")["input_ids"]])
    p, q = (
        one.loaded.model(ids).logits[0, start - 1 : -1].double().log_softmax(-1)
        for one in (policy, other)
    )
    return float((p.exp() * (p - q)).sum())


def test_kl_is_exact(policy, trees, make_model):
    other = other_policy(policy, make_model)
    responses = ["red", "", "the quick brown fox jumps", "two.\n"]
    with torch.no_grad():
        wanted = [naive_kl(policy, other, *pair) for pair in zip(trees, responses, strict=True)]
    found = policy.kl(trees, responses, other)
    assert found == pytest.approx(wanted, rel=1e-4)
    assert min(found) > 1e-3
    assert policy.kl(trees[::-1], responses[::-1], other)[::-1] == pytest.approx(found, rel=1e-5)
    assert policy.kl(trees, responses, policy) == [0.0] * 4


def test_kl_needs_one_vocabulary_and_an_open_policy(policy, trees, make_model):
    model = make_model("llama", vocab_size=500)
    other = ModelPolicy(
        replace(policy.loaded, model=model), policy.tokeniser, 2, policy.packing, 90
    )
    with pytest.raises(ConfigError, match="400 and 500"):
        policy.kl(trees, ["red"] * 4, other)
    with pytest.raises(ConfigError, match="object"):
        policy.kl(trees, ["red"] * 4, object())


def adapt(policy):
    """Add an adapter that does something."""
    model = with_lora(policy.loaded.model, LoraSettings(rank=2))
    torch.manual_seed(3)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.5)
    return ModelPolicy(replace(policy.loaded, model=model), policy.tokeniser, 2, policy.packing, 90)


def test_reference_view_is_the_model_without_its_adapter(policy, trees):
    wanted = policy.logps(trees)[0].sums
    answers = policy.generate(trees, 8, 1.0, 1)
    adapted = adapt(policy)
    view = adapted.reference_view()
    assert view.loaded.model is adapted.loaded.model
    assert view.logps(trees)[0].sums == pytest.approx(wanted)
    assert view.generate(trees, 8, 1.0, 1) == answers
    changed = adapted.logps(trees)[0].sums
    assert changed != pytest.approx(wanted, abs=0.1)
    assert adapted.logps(trees)[0].sums == changed


def test_kl_between_adapter_and_its_reference(policy, trees):
    adapted = adapt(policy)
    view = adapted.reference_view()
    responses = adapted.generate(trees, 8, 1.0, 1)
    forward = adapted.kl(trees, responses, view)
    assert min(forward) > 0
    assert view.kl(trees, responses, view) == [0.0] * 4
    assert view.kl(trees, responses, adapted) != pytest.approx(forward)


def test_model_without_adapter_has_no_reference_view(policy):
    assert not policy.has_adapter
    with pytest.raises(ValueError, match="no adapter"):
        policy.reference_view()
