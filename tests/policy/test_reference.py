"""Reference log-probs come from the cache where they can, and from the start model always."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import prefrun.policy.reference as reference
from prefrun.builtin.config import LoraSettings
from prefrun.errors import PrefrunError
from prefrun.models.text import LanguageModel
from prefrun.policy.adapter import with_lora
from prefrun.policy.cache import ReferenceCache
from prefrun.policy.fingerprint import fingerprint
from prefrun.policy.policy import BranchLogps
from prefrun.policy.reference import reference_logps
from prefrun.policy.tokenise import Tokeniser
from prefrun.records.tree import Branch, PreferenceTree, Step


@pytest.fixture
def cache(tmp_path):
    """An empty cache."""
    return ReferenceCache(tmp_path)


@pytest.fixture
def tokens(tokenizer, trees):
    """The trees as ids."""
    return Tokeniser(tokenizer, 256).tokenise_all(trees)


@pytest.fixture
def forwards(loaded):
    """Number of rows that went through the model, per forward pass."""
    rows = []
    loaded.model.register_forward_pre_hook(
        lambda module, args, kwargs: rows.append(len(kwargs["input_ids"])), with_kwargs=True
    )
    return rows


def assert_close(left, right, atol=0.0):
    for one, other in zip(left, right, strict=True):
        for values, wanted in zip(one.token_logps, other.token_logps, strict=True):
            torch.testing.assert_close(values, wanted, rtol=0, atol=atol)


def test_second_pass_computes_nothing_and_gives_the_same_bits(loaded, tokens, cache, forwards):
    first = reference_logps(LanguageModel(loaded), tokens, cache, 100)
    assert forwards == [4, 5] or sum(forwards) == 9
    forwards.clear()
    assert_close(
        reference_logps(LanguageModel(loaded), tokens, ReferenceCache(cache.folder), 100), first
    )
    assert forwards == []


def test_without_cache_the_values_are_the_same(loaded, tokens, cache):
    cached = reference_logps(LanguageModel(loaded), tokens, cache, 100)
    assert_close(reference_logps(LanguageModel(loaded), tokens, None, 100), cached)
    assert [len(b) for t in tokens for b in t.branches] == [n for r in cached for n in r.lengths]


def test_only_unknown_branches_are_computed(loaded, tokens, cache, forwards):
    known = [
        replace(tokens[1], branches=tokens[1].branches[1:3], step_ends=tokens[1].step_ends[1:3])
    ]
    reference_logps(LanguageModel(loaded), known, cache, 4096)
    forwards.clear()
    result = reference_logps(LanguageModel(loaded), tokens, cache, 4096)
    assert sum(forwards) == 7
    assert_close(result, reference_logps(LanguageModel(loaded), tokens, None, 4096), atol=1e-5)


def test_a_branch_of_two_trees_is_computed_once(loaded, tokens, cache, forwards):
    pairs = [
        replace(
            tokens[1], branches=(tokens[1].branches[a], tokens[1].branches[b]), step_ends=((), ())
        )
        for a, b in ((0, 1), (0, 2), (1, 2))
    ]
    pairs = [replace(pair, step_ends=tuple((len(ids),) for ids in pair.branches)) for pair in pairs]
    result = reference_logps(LanguageModel(loaded), pairs, cache, 4096)
    assert sum(forwards) == 3
    assert torch.equal(result[0].token_logps[0], result[1].token_logps[0])


def test_order_of_the_records_changes_no_bit(loaded, tokens):
    forward = reference_logps(LanguageModel(loaded), tokens, None, 100)
    assert_close(reference_logps(LanguageModel(loaded), tokens[::-1], None, 100)[::-1], forward)


def test_killed_pass_goes_on_to_the_same_bits(loaded, tokens, cache, monkeypatch):
    whole = reference_logps(LanguageModel(loaded), tokens, None, 1)

    def killed(*arguments):
        yield from [next(real(*arguments))]
        raise KeyboardInterrupt

    real = reference.scored_batches
    monkeypatch.setattr(reference, "scored_batches", killed)
    with pytest.raises(KeyboardInterrupt):
        reference_logps(LanguageModel(loaded), tokens, cache, 1)
    monkeypatch.setattr(reference, "scored_batches", real)
    assert_close(
        reference_logps(LanguageModel(loaded), tokens, ReferenceCache(cache.folder), 1), whole
    )


def test_progress_counts_branches(loaded, tokens, cache):
    shown = []
    reference_logps(
        LanguageModel(loaded), tokens, cache, 100, lambda done, total: shown.append((done, total))
    )
    assert shown[0] == (0, 9)
    assert shown[-1] == (9, 9)
    shown.clear()
    reference_logps(
        LanguageModel(loaded), tokens, cache, 100, lambda done, total: shown.append((done, total))
    )
    assert shown == [(9, 9)]


def test_another_model_does_not_hit(loaded, tokens, cache, forwards):
    reference_logps(LanguageModel(loaded), tokens, cache, 4096)
    forwards.clear()
    reference_logps(LanguageModel(replace(loaded, fingerprint="0" * 40)), tokens, cache, 4096)
    assert sum(forwards) == 9


def test_adapter_is_switched_off_and_on_again(loaded, tokens):
    plain = reference_logps(LanguageModel(loaded), tokens, None, 4096)
    model = with_lora(loaded.model, LoraSettings(rank=2))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)
    adapted = replace(loaded, model=model)
    before = fingerprint(model)
    assert_close(reference_logps(LanguageModel(adapted), tokens, None, 4096), plain)
    assert fingerprint(model) == before
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad(), model.disable_adapter():
        beneath = model(ids).logits
    assert not torch.allclose(model(ids).logits, beneath)


def test_trained_weights_are_refused(loaded, tokens, cache):
    loaded.model(torch.tensor([[1, 2]])).logits.sum().backward()
    torch.optim.AdamW(loaded.model.parameters(), lr=0.1).step()
    with pytest.raises(PrefrunError, match="after its weights had been trained"):
        reference_logps(LanguageModel(loaded), tokens, cache, 4096)


def test_run_survives_a_full_disk(loaded, tokens, cache, caplog):
    folder = cache.folder / loaded.fingerprint[:40]
    folder.mkdir()
    (folder / "0.logps").symlink_to("/dev/full")
    result = reference_logps(LanguageModel(loaded), tokens, cache, 100)
    assert_close(result, reference_logps(LanguageModel(loaded), tokens, None, 100))
    assert "goes on without it" in caplog.text


def test_training_mode_is_restored(loaded, tokens):
    loaded.model.train()
    reference_logps(LanguageModel(loaded), tokens, None, 4096)
    assert loaded.model.training


def test_a_branch_with_a_prompt_of_its_own_is_that_of_another_tree(
    loaded, tokenizer, cache, forwards
):
    tokeniser = Tokeniser(tokenizer, 128)
    alone = [
        PreferenceTree(side, f"go {side}: ", (Branch((Step(answer),)),))
        for side, answer in (("up", "yes"), ("down", "no"))
    ]
    one, other = reference_logps(LanguageModel(loaded), tokeniser.tokenise_all(alone), cache, 100)
    forwards.clear()
    branches = tuple(Branch(tree.branches[0].steps, prompt=tree.prompt) for tree in alone)
    joined = tokeniser.tokenise_all([PreferenceTree("joined", "go home: ", branches)])
    known = reference_logps(LanguageModel(loaded), joined, cache, 100)
    assert forwards == []
    assert_close(known, [BranchLogps((*one.token_logps, *other.token_logps))])
    assert_close(reference_logps(LanguageModel(loaded), joined, None, 100), known, atol=1e-5)
