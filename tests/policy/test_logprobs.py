"""token_logprobs equals a naive forward pass per sequence, values and gradients."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch

import prefrun.policy.linear_logps as linear_logps
from prefrun.builtin.config import LoraSettings
from prefrun.errors import PluginError
from prefrun.policy import head
from prefrun.policy.adapter import with_lora
from prefrun.policy.attention.kernel import Kernel
from prefrun.policy.attention.switch import remembering, tree_attention
from prefrun.policy.collate import collate_tokens
from prefrun.policy.logprobs import token_logprobs
from prefrun.policy.packing import PLAIN, Packing
from prefrun.policy.tokenise import Tokeniser

FAMILIES = [
    "llama",
    "qwen2",
    "qwen3",
    "mistral",
    "gemma2",
    "gemma3",
    "phi3",
    "gpt2",
    "gpt_neox",
    "phi",
    "cohere",
    "granite",
]


@pytest.fixture
def tokens(tokenizer, trees):
    """Tokenised trees; the last branch of the second has no token at all."""
    tokenised = Tokeniser(tokenizer, 128).tokenise_all(trees)
    second = tokenised[1]
    tokenised[1] = replace(
        second, branches=(*second.branches[:3], ()), step_ends=(*second.step_ends[:3], (0,))
    )
    return tokenised


def naive(model, tokens):
    """Per branch, log-probs and collisions from one unpadded forward pass."""
    result = []
    for tree in tokens:
        for ids in tree.branches:
            row = torch.tensor([[*tree.prompt_ids, *ids]])
            logps = model(row, use_cache=False).logits[0].log_softmax(-1)
            place = torch.arange(len(ids)) + len(tree.prompt_ids)
            result.append((logps[place - 1, row[0, place]], (2 * logps[place - 1]).logsumexp(-1)))
    return result


def assert_equals_naive(model, tokens, value_tolerance, gradient_tolerance, packing=PLAIN):
    batch = collate_tokens(tokens, 0, packing)
    wanted = naive(model, tokens)
    scale = torch.sin(torch.arange(400.0, dtype=wanted[0][0].dtype))
    sum(((values**2) * scale[: len(values)]).sum() for values, _ in wanted).backward()
    gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()

    with tree_attention(model) if packing.kernel else nullcontext():
        values, extras = token_logprobs(model, batch, frozenset({"reference", "log_collision"}))
        (values**2 * scale[: values.shape[-1]]).sum().backward()

    rows = zip(
        values[batch["branch_mask"]], extras["log_collision"][batch["branch_mask"]], strict=True
    )
    for (row, collision), (expected, expected_collision) in zip(rows, wanted, strict=True):
        count = len(expected)
        torch.testing.assert_close(row[:count], expected, rtol=0, atol=value_tolerance)
        torch.testing.assert_close(
            collision[:count], expected_collision, rtol=0, atol=value_tolerance
        )
        assert (row[count:] == 0).all()
        assert (collision[count:] == 0).all()
    assert not extras["log_collision"].requires_grad
    largest = max(gradient.abs().max() for gradient in gradients.values())
    for name, parameter in model.named_parameters():
        if name in gradients:
            gap = (parameter.grad - gradients[name]).abs().max()
            assert gap <= gradient_tolerance * largest, name


PACKINGS = [PLAIN, Packing(Kernel.segments), Packing(Kernel.dense)]


@pytest.fixture(params=PACKINGS, ids=["plain", "segments", "dense"])
def packing(request):
    """Every back end that a CPU can train with."""
    return request.param


@pytest.mark.parametrize("family", FAMILIES)
def test_equals_naive_in_float32(family, make_model, tokens, packing):
    assert_equals_naive(make_model(family), tokens, 1e-4, 1e-5, packing)


@pytest.mark.parametrize("family", ["llama", "gpt2", "qwen3", "mistral", "phi3"])
def test_equals_naive_in_float64(family, make_model, tokens, packing):
    model = make_model(family, torch.float64, attn_implementation="sdpa")
    exact = family == "gpt2" or packing is PLAIN  # the others norm and rotate in float32
    assert_equals_naive(model, tokens, 1e-10, 1e-10 if exact else 1e-7, packing)


@pytest.mark.parametrize("family", ["llama", "gemma2", "cohere", "phi"])
@pytest.mark.parametrize("kept", [0, 1 << 20])
def test_chunks_change_nothing(family, kept, make_model, tokens, packing, monkeypatch):
    monkeypatch.setattr(linear_logps, "KEEP_BYTES", kept)
    monkeypatch.setattr(linear_logps, "chunk_rows", lambda vocabulary: 7)
    assert_equals_naive(make_model(family), tokens, 1e-4, 1e-5, packing)


@pytest.mark.parametrize("family", ["llama", "gemma2", "cohere", "granite", "gpt2", "phi3"])
def test_full_logits_are_never_made(family, make_model, tokens, packing, monkeypatch):
    model = make_model(family)
    batch = collate_tokens(tokens, 0, packing)
    sizes = []
    real = linear_logps.LinearHead.logits
    monkeypatch.setattr(
        linear_logps.LinearHead,
        "logits",
        lambda head, rows: sizes.append(len(rows)) or real(head, rows),
    )
    model.get_output_embeddings().register_forward_hook(
        lambda module, args, output: sizes.append(output.shape[:-1].numel())
    )
    token_logprobs(model, batch)
    token_logprobs(model, batch)
    distinct = len(batch["target"])
    assert sizes.count(distinct) == 2
    assert max(sizes) == distinct <= batch["token_mask"].sum() < batch["input_ids"].numel()


def test_unknown_head_falls_back_to_full_logits(make_model, tokens, caplog):
    class Bent(type(make_model("llama"))):
        def forward(self, *args, **kwargs):
            output = super().forward(*args, **kwargs)
            output.logits = 4 * torch.tanh(output.logits / 4)
            return output

    model = make_model("llama")
    model.__class__ = Bent
    assert_equals_naive(model, tokens, 1e-4, 1e-5)
    assert "full logits" in caplog.text


def test_head_that_ignores_its_configured_cap_is_noticed(make_model, tokens):
    model = make_model("llama")
    model.config.final_logit_softcapping = 30.0
    assert_equals_naive(model, tokens, 1e-4, 1e-5)


@pytest.mark.parametrize("targets", [None, ["q_proj", "lm_head"]])
def test_adapted_model_equals_naive(targets, make_model, tokens, packing):
    model = with_lora(make_model("llama"), LoraSettings(rank=4, target_modules=targets))
    torch.manual_seed(1)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    assert_equals_naive(model.eval(), tokens, 1e-4, 1e-5, packing)
    assert all(p.grad is None for n, p in model.named_parameters() if "lora_" not in n)


def test_gradient_checkpointing_changes_nothing(make_model, tokens, packing):
    model = make_model("llama").train()
    model.activation_checkpointing_enable({"use_reentrant": False})
    assert_equals_naive(model, tokens, 1e-4, 1e-5, packing)


def test_checkpoints_outside_of_tree_attention_are_refused(make_model, tokens):
    model = make_model("llama").train()
    model.activation_checkpointing_enable({"use_reentrant": False})
    batch = collate_tokens(tokens, 0, Packing(Kernel.segments))
    with pytest.raises(PluginError, match="tree_attention"):
        token_logprobs(model, batch)
    with torch.no_grad():
        assert token_logprobs(model, batch)[0].shape == batch["token_mask"].shape


@pytest.mark.parametrize("is_active", [False, True])
def test_layers_that_remember_attend_again_as_before(make_model, tokens, packing, is_active):
    model = make_model("llama").train()
    batch = collate_tokens(tokens, 0, packing)
    found = []
    for how in ({}, {"context_fn": remembering(model)}):
        if how:
            model.activation_checkpointing_enable({"use_reentrant": False, **how})
        model.zero_grad()
        total = token_logprobs(model, batch)[0].sum()
        with tree_attention(model) if is_active else nullcontext():
            total.backward()
        found.append([p.grad.clone() for p in model.parameters()])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_wrapped_model_is_called_through_its_wrapper(make_model, tokens):
    class Wrapper(torch.nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module, self.calls = module, 0

        def forward(self, **inputs):
            self.calls += 1
            return self.module(**inputs)

    model = make_model("llama")
    wrapper = Wrapper(model)
    batch = collate_tokens(tokens, 0)
    torch.testing.assert_close(token_logprobs(wrapper, batch)[0], token_logprobs(model, batch)[0])
    assert wrapper.calls == 1


def test_half_precision_is_widened(make_model, tokens):
    model = make_model("llama", torch.bfloat16)
    values, _ = token_logprobs(model, collate_tokens(tokens, 0))
    assert values.dtype == torch.float32
    exact, _ = token_logprobs(make_model("llama"), collate_tokens(tokens, 0))
    assert (values - exact).abs().max() < 0.3


def test_batch_without_scored_tokens_has_zero_gradients(make_model, tokens):
    model = make_model("llama")
    empty = replace(tokens[0], branches=((), ()), step_ends=((0,), (0,)))
    values, _ = token_logprobs(model, collate_tokens([empty], 0))
    assert values.shape == (1, 2, 1)
    values.sum().backward()
    assert all(p.grad is None or (p.grad == 0).all() for p in model.parameters())


def test_no_hook_is_left_behind(make_model, tokens):
    model = make_model("llama")
    token_logprobs(model, collate_tokens(tokens, 0))
    assert not model.get_output_embeddings()._forward_pre_hooks
    assert "forward" not in vars(model.get_output_embeddings())
    assert head._HEADS[model].exact


def test_unknown_need_is_refused(make_model, tokens):
    with pytest.raises(PluginError, match="entropy"):
        token_logprobs(make_model("llama"), collate_tokens(tokens, 0), frozenset({"entropy"}))
