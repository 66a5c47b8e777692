"""A model as a policy: repeatable answers, exact log-probs, exact divergences."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from prefrun.builtin.config import LoraSettings
from prefrun.errors import ConfigError
from prefrun.models.text import LanguageModel
from prefrun.policy.adapter import with_lora
from prefrun.policy.attention.kernel import Kernel
from prefrun.policy.model_policy import ModelPolicy
from prefrun.policy.packing import PLAIN, Packing
from prefrun.policy.scoring import scored_batches
from prefrun.policy.tokenise import TokenisedTree, Tokeniser
from prefrun.policy.truncation import TruncationCount
from prefrun.records.tree import Branch, PreferenceTree, Step


@pytest.fixture(params=[PLAIN, Packing(Kernel.segments)], ids=["plain", "packed"])
def policy(loaded, request):
    """A tiny random Llama as a policy, two completions at a time."""
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
    policy.sample(trees, 2, 5, 1.0, top_p=0.9, seed=1)
    policy.logps(trees)
    assert torch.equal(torch.rand(3), wanted)


def test_training_mode_is_restored(policy, trees):
    policy.loaded.model.train()
    policy.generate(trees, 3, 1.0, seed=1)
    policy.kl(trees, ["red"] * 4, policy)
    assert policy.loaded.model.training


def flat(samples):
    return [sample for each in samples for sample in each]


def test_samples_of_a_tree_differ_and_do_not_depend_on_their_company(policy, trees):
    three = policy.sample(trees, 3, 12, 1.0, seed=1)
    assert [len(samples) for samples in three] == [3] * 4
    assert all(len({sample.ids for sample in samples}) == 3 for samples in three)
    assert [samples[0].text for samples in three] == policy.generate(trees, 12, 1.0, seed=1)
    alone = policy.sample(trees[1:2], 2, 12, 1.0, seed=1)
    assert [sample.ids for sample in alone[0]] == [sample.ids for sample in three[1][:2]]
    longer = policy.sample(trees, 3, 20, 1.0, seed=1)
    for short, long in zip(flat(three), flat(longer), strict=True):
        assert long.ids[: len(short.ids)] == short.ids


def test_sample_keeps_its_end_token_and_says_whether_it_was_cut(policy, trees):
    with torch.no_grad():
        policy.loaded.model.lm_head.weight.mul_(0.01)
    policy.loaded.model.generation_config.eos_token_id = list(range(300, 360))
    samples = flat(policy.sample(trees, 5, 8, 1.0, seed=3))
    stops = {*policy.tokeniser.stop_ids, *range(300, 360)}
    decode = policy.loaded.tokenizer.decode
    assert {sample.ended for sample in samples} == {True, False}
    for sample in samples:
        assert [token in stops for token in sample.ids[:-1]] == [False] * (len(sample.ids) - 1)
        assert sample.ended == (sample.ids[-1] in stops)
        assert len(sample.ids) == 8 or sample.ended
        kept = sample.ids[:-1] if sample.ended else sample.ids
        assert sample.text == decode(kept, skip_special_tokens=True)
        assert len(sample.logps) == len(sample.ids)


def test_logps_of_samples_are_those_of_the_same_ids(policy, trees):
    samples = flat(policy.sample(trees, 2, 12, 0.7, top_p=0.9, seed=2))
    prompts = [ids for ids in policy.tokeniser.prompt_ids(trees, 12) for _ in range(2)]
    lost = TruncationCount()
    for prompt, sample in zip(prompts, samples, strict=True):
        tree = TokenisedTree("x", tuple(prompt), (sample.ids,), ((len(sample.ids),),), lost)
        kind = LanguageModel(policy.loaded, policy.packing)
        ((_, scored),) = next(scored_batches(kind, [tree], policy.budget))
        torch.testing.assert_close(sample.logps, scored.token_logps[0], rtol=1e-4, atol=1e-4)


def test_sample_ends_behind_a_stop_string(policy, trees):
    whole = flat(policy.sample(trees, 4, 30, 1.0, seed=4))
    found = flat(policy.sample(trees, 4, 30, 1.0, stop=("o", "re"), seed=4))
    decode = policy.loaded.tokenizer.decode
    assert any(sample.text.endswith("re") for sample in found)
    for before, after in zip(whole, found, strict=True):
        ends = [before.text.find(stop) + len(stop) for stop in ("o", "re") if stop in before.text]
        assert after.text == (before.text[: min(ends)] if ends else before.text)
        assert after.ids == before.ids[: len(after.ids)]
        assert after.ended == bool(ends) or before.ended
        if ends:
            assert decode(after.ids, skip_special_tokens=True).startswith(after.text)
            fewer = decode(after.ids[:-1], skip_special_tokens=True)
            assert not any(stop in fewer for stop in ("o", "re"))


@pytest.mark.parametrize(
    "wrong",
    [{"n": 0}, {"max_new_tokens": 0}, {"temperature": -1.0}, {"top_p": 0.0}, {"stop": ("",)}],
    ids=str,
)
def test_numbers_that_make_no_sense_are_refused(policy, trees, wrong):
    with pytest.raises(ValueError, match="must"):
        policy.sample(trees, **({"n": 1, "max_new_tokens": 2, "temperature": 1.0} | wrong))


def test_prompt_leaves_room_for_the_completion(policy, make_chat):
    long = make_chat("long", "the lazy dog " * 100)
    assert len(policy.tokeniser.prompt_ids([long], 40)[0]) == 128 - 40
    (samples,) = policy.sample([long], 2, 40, 1.0)
    assert max(len(sample.ids) for sample in samples) <= 40


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
