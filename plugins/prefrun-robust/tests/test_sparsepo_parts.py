"""SparsePO's terms, masks and measures, each against its definition."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.nn.functional import logsigmoid

from prefrun import ConfigError
from prefrun.policy.collate import Example, collate
from prefrun.policy.tokenise import Tokeniser
from prefrun.testing import algorithm_checks, check_data
from prefrun_robust.sparsepo import forward
from prefrun_robust.sparsepo.activations import watching
from prefrun_robust.sparsepo.config import CountSevensConfig, MaskModel, SparsePoConfig, Variant
from prefrun_robust.sparsepo.forward import policy_terms, read_reference
from prefrun_robust.sparsepo.loss import MaskedAnswers, sparsepo_values, token_terms
from prefrun_robust.sparsepo.masks import MaskHead, activation_mask, rescaled
from prefrun_robust.sparsepo.records import best_and_worst
from prefrun_robust.sparsepo.token_masks import TokenMasks
from prefrun_robust.sparsepo.world import CountSevens


@pytest.mark.parametrize("check", algorithm_checks("sparsepo"))
def test_conformance(check):
    check()


def test_the_generated_data_conform():
    check_data("count_sevens", overrides=["records=20", "test_records=10", "cue=0.5"])


@pytest.fixture
def batch(tokenizer):
    trees = best_and_worst(CountSevens(CountSevensConfig(3, 1)).load(0).train, "overall")
    tokens = Tokeniser(tokenizer, 64).tokenise_all(trees)
    examples = [Example.of(*both, "overall") for both in zip(trees, tokens, strict=True)]
    return collate(examples, 0)


@pytest.fixture
def policy(model):
    """The reference, its weights disturbed."""
    other = copy.deepcopy(model)
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in other.parameters():
            weight.add_(0.2 * torch.randn_like(weight))
    return other


def full_terms(policy, reference, batch):
    """r and k from the whole logits: [rows, positions]."""
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    mine, theirs = (each(**inputs).logits.log_softmax(-1)[:, :-1] for each in (policy, reference))
    labels = batch["input_ids"][:, 1:]
    flat = token_terms(mine.flatten(0, 1), theirs.flatten(0, 1), labels.flatten())
    return [each.view_as(labels) for each in flat]


@pytest.mark.parametrize("size", [5, 1000])
def test_terms_in_chunks_are_those_of_the_whole_logits(policy, model, batch, monkeypatch, size):
    monkeypatch.setattr(forward, "chunk_rows", lambda vocabulary: size)
    rewards, kl = policy_terms(policy, batch, read_reference(model, batch))
    (rewards.sum() + kl.square().sum()).backward()
    seen = [weight.grad.clone() for weight in policy.parameters()]
    policy.zero_grad()
    whole = full_terms(policy, model, batch)
    pair = 0
    for row, tokens in enumerate(batch["token_mask"].flatten(0, 1)):
        answer = int(tokens.sum())
        prompt = int(batch["attention_mask"][row].sum()) - answer
        for mine, full in zip((rewards, kl), whole, strict=True):
            expected = full[row, prompt - 1 : prompt - 1 + answer]
            torch.testing.assert_close(mine.flatten(0, 1)[row, :answer], expected)
        pair += answer
    assert pair == int(batch["token_mask"].sum())
    picked = torch.zeros_like(whole[0], dtype=torch.bool)
    picked.flatten()[place_of(batch)] = True
    (whole[0][picked].sum() + whole[1][picked].square().sum()).backward()
    for mine, weight in zip(seen, policy.parameters(), strict=True):
        torch.testing.assert_close(mine, weight.grad, atol=1e-5, rtol=1e-4)


def place_of(batch):
    """Places of the scored positions in rows that lost their last column."""
    length = batch["input_ids"].shape[1]
    return batch["source"] // length * (length - 1) + batch["source"] % length


def test_the_reference_gives_all_layers_and_no_gradient(model, batch):
    found = read_reference(model, batch)
    output = model(
        **{name: batch[name] for name in ("input_ids", "attention_mask")},
        output_hidden_states=True,
    )
    assert found.hidden.shape == (len(batch["source"]), 2, 16)
    last = output.hidden_states[-1].flatten(0, 1)[batch["source"]]
    torch.testing.assert_close(found.hidden[:, -1], last)
    assert not found.hidden.requires_grad


def test_activations_of_every_type(model, batch):
    found = read_reference(model, batch, ["mlp", "attention", "residual", "logits"])
    counts = {kind: len(hooks) for kind, hooks in found.activations.items()}
    assert counts == {"mlp": 2, "attention": 8, "residual": 2, "logits": 1}
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    logits = model(**inputs).logits.mean(-1).flatten()[batch["source"]]
    torch.testing.assert_close(found.activations["logits"][0], logits)
    assert not model.model.layers[0].mlp.down_proj._forward_pre_hooks


def test_a_model_without_known_layers_is_refused():
    plain = torch.nn.Module()
    plain.base_model = torch.nn.Linear(2, 2)
    plain.get_output_embeddings = lambda: None
    with pytest.raises(ConfigError, match="mlp"), watching(plain, ["mlp"]):
        pass


def answers(seed: int) -> MaskedAnswers:
    draw = torch.Generator().manual_seed(seed)
    values = torch.randn(2, 3, 4, dtype=torch.float64, generator=draw)
    ones = torch.ones(3, 4, dtype=torch.float64)
    return MaskedAnswers(values[0], -values[1].square(), ones, ones, ones)


def test_masks_of_one_are_tdpo():
    chosen, rejected = answers(0), answers(1)
    gain = chosen.rewards.sum(-1) - rejected.rewards.sum(-1)
    kl_chosen, kl_rejected = -chosen.kl.sum(-1), -rejected.kl.sum(-1)
    expected = -logsigmoid(0.3 * (gain + kl_chosen - kl_rejected))
    torch.testing.assert_close(sparsepo_values(chosen, rejected, beta=0.3), expected)


def test_label_smoothing_mixes_both_directions():
    chosen, rejected = answers(0), answers(1)
    plain = sparsepo_values(chosen, rejected, beta=0.3)
    other = sparsepo_values(rejected, chosen, beta=0.3)
    smoothed = sparsepo_values(chosen, rejected, beta=0.3, label_smoothing=0.2)
    torch.testing.assert_close(smoothed, 0.8 * plain + 0.2 * other)


@pytest.mark.parametrize("name", [each.name for each in MaskModel if each.name != "random"])
def test_learned_masks(name, model, batch):
    masks = TokenMasks(SparsePoConfig(mask_model=MaskModel[name], initial_mask=1.0), 2, 16).eval()
    reward, kl = masks(read_reference(model, batch), batch)
    assert torch.equal(reward, kl)
    assert reward.shape == batch["token_mask"].shape
    assert (reward >= 0).all()
    assert not reward[~batch["token_mask"]].any()
    assert reward[batch["token_mask"]].mean().item() == pytest.approx(1.0, abs=0.35)
    if name.startswith("binary"):
        assert set(reward.unique().tolist()) <= {0.0, 1.0}
    else:
        reward.sum().backward()
        assert any(weight.grad.any() for weight in masks.parameters())


def test_independent_masks_differ_and_switches_put_ones(model, batch):
    torch.manual_seed(0)
    reference = read_reference(model, batch)
    masks = TokenMasks(SparsePoConfig(variant=Variant.independent, initial_mask=1.0), 2, 16).eval()
    reward, kl = masks(reference, batch)
    assert not torch.equal(reward, kl)
    off = TokenMasks(SparsePoConfig(mask_on_kl=False, initial_mask=1.0), 2, 16).eval()
    assert torch.equal(off(reference, batch)[1], batch["token_mask"].float())


def test_random_masks_are_uniform_and_new_at_each_call(model, batch):
    masks = TokenMasks(SparsePoConfig(mask_model=MaskModel["random"]), 2, 16)
    reference = read_reference(model, batch)
    first, second = (masks(reference, batch)[0][batch["token_mask"]] for _ in range(2))
    assert not torch.equal(first, second)
    assert 0.3 < first.mean() < 0.7
    assert not list(masks.parameters())


def test_a_head_of_one_layer_has_no_join():
    head = MaskHead("simple", 1, 4, 0.0, start=2.0)
    assert head.join is None
    assert head(torch.randn(50, 1, 4)).mean().item() == pytest.approx(2.0, abs=0.2)


def test_rescaling_is_per_answer_and_ignores_padding():
    values = torch.tensor([[1.0, 3.0, 2.0, 99.0], [5.0, -7.0, 0.0, 0.0], [4.0, 4.0, 4.0, 0.0]])
    mask = torch.tensor([[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 1, 0]]).bool()
    expected = [[0.0, 1.0, 0.5, 0.0], [1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0]]
    assert rescaled(values, mask).tolist() == expected
    assert torch.isfinite(rescaled(values, torch.zeros_like(mask))).all()


def test_mapo_averages_hooks_and_then_types():
    mask = torch.ones(1, 3, dtype=torch.bool)
    rise, fall = torch.tensor([[0.0, 1.0, 2.0]]), torch.tensor([[2.0, 1.0, 0.0]])
    found = activation_mask({"mlp": [rise, rise, fall], "logits": [fall]}, mask)
    torch.testing.assert_close(found, torch.tensor([[2 / 3, 0.5, 1 / 3]]))
