"""SparsePO's terms, masks and measures, each against its definition."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import logsigmoid

from prefrun import ConfigError
from prefrun.algorithm import RunAlgorithm
from prefrun.errors import DataError
from prefrun.policy.collate import Example, collate
from prefrun.policy.tokenise import Tokeniser
from prefrun.testing import algorithm_checks, check_data, make_trees
from prefrun_robust.sparsepo import forward
from prefrun_robust.sparsepo.activations import watching
from prefrun_robust.sparsepo.algo import SparsePo
from prefrun_robust.sparsepo.config import CountSevensConfig, MaskModel, SparsePoConfig, Variant
from prefrun_robust.sparsepo.forward import policy_terms, read_reference
from prefrun_robust.sparsepo.loss import MaskedAnswers, sparsepo_values, token_terms
from prefrun_robust.sparsepo.masks import MaskHead, activation_mask, rescaled
from prefrun_robust.sparsepo.measures import area_under_curve, share_of_zeros
from prefrun_robust.sparsepo.records import best_and_worst, in_parts, shuffled
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


def test_measures():
    assert area_under_curve([0.1, 0.4, 0.35, 0.8], [False, False, True, True]) == 0.75
    assert area_under_curve([1.0, 1.0], [True, False]) == 0.5
    assert area_under_curve([1.0, 2.0], [True, True]) is None
    zeros = share_of_zeros([[0.0, 1.0], [0.0, 0.0]])
    assert zeros.value == 0.75
    assert zeros.per_record == [0.5, 1.0]


def test_pairs_are_best_and_worst_without_ties():
    (tree,) = make_trees(1)
    (pair,) = best_and_worst([tree], "overall")
    labels = tree.labels()
    assert pair.labels() == [max(labels), min(labels)]
    tied = replace(tree, branches=(tree.branches[0], replace(tree.branches[0], rank=None)))
    assert best_and_worst([tied, replace(tree, branches=tree.branches[:1])], "overall") == []


def test_order_and_parts():
    order = shuffled(5, 12, seed=1)
    assert sorted(order[:5]) == sorted(order[5:10]) == [0, 1, 2, 3, 4]
    assert order != shuffled(5, 12, seed=2)
    assert in_parts([3, 1, 2], {1: 4, 2: 5, 3: 30}, budget=10) == [[3], [1, 2]]


def test_sevens_are_foreseeable_only_with_a_cue():
    shares = {}
    for cue in (0.0, 0.9):
        trees = CountSevens(CountSevensConfig(records=400, cue=cue)).load(0).train
        texts = [branch.text for tree in trees for branch in tree.branches]
        after = [text[i + 1] for text in texts for i, c in enumerate(text[:-1]) if c == "j"]
        shares[cue] = after.count("7") / len(after)
    assert shares[0.0] < 0.15
    assert shares[0.9] > 0.8


def test_data_without_preferences_are_refused():
    data = CountSevens(CountSevensConfig(2, 1)).load(0)
    single = [replace(tree, branches=tree.branches[:1]) for tree in data.train]
    algorithm: RunAlgorithm = SparsePo(SparsePoConfig())
    with pytest.raises(DataError, match="no training record"):
        algorithm.check(replace(data, train=single), None)


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"beta": 0}, r"algo\.beta"),
        ({"initial_mask": 0}, r"algo\.initial_mask"),
        ({"mask_learning_rate": -1}, r"algo\.mask_learning_rate"),
        ({"mask_dropout": 1}, r"algo\.mask_dropout"),
        ({"l1_kl": -1}, r"algo\.l1_kl"),
        ({"label_smoothing": 0.5}, r"algo\.label_smoothing"),
        ({"activations": ["mpl"]}, r"algo\.activations"),
    ],
)
def test_settings_out_of_range_name_their_key(keys, named):
    with pytest.raises(ConfigError, match=named):
        SparsePoConfig(**keys)
