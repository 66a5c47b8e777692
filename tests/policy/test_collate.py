"""A batch holds what the trees say, in the places the loss looks for it."""

from __future__ import annotations

import math

import pytest
import torch
from transformers import Trainer, TrainingArguments

from prefrun.errors import DataError
from prefrun.policy.collate import Example, branch_batch, collate
from prefrun.policy.policy import BranchLogps
from prefrun.policy.tokenise import Tokeniser
from prefrun.records.tree import Branch, PreferenceTree, Step


@pytest.fixture
def make_batch(tokenizer):
    """Collate trees and read the batch back with the token's number as its log-prob."""

    def make(trees, references=None):
        tokens = Tokeniser(tokenizer, 256).tokenise_all(trees)
        references = references or [None] * len(trees)
        examples = [
            Example.of(tree, item, "overall", reference)
            for tree, item, reference in zip(trees, tokens, references, strict=True)
        ]
        inputs = collate(examples, 0)
        values = torch.zeros(inputs["token_mask"].shape)
        return tokens, branch_batch(inputs, values, {"extra": values})

    return make


def test_masks_and_labels_follow_the_trees(make_batch, trees):
    tokens, batch = make_batch(trees)
    lengths = torch.tensor(
        [[len(b) for b in t.branches] + [0] * (4 - len(t.branches)) for t in tokens]
    )
    assert (batch.lengths == lengths).all()
    assert batch.token_mask.shape == (4, 4, int(lengths.max()))
    for b, tree in enumerate(trees):
        count = len(tree.branches)
        assert batch.branch_mask[b].tolist() == [True] * count + [False] * (4 - count)
        assert batch.scores[b, :count].tolist() == tree.labels()
        assert batch.ranks[b, :count].tolist() == tree.ranks()
        assert batch.ranks[b, count:].eq(0).all()
    for b, row in enumerate(lengths):
        for k, length in enumerate(row):
            assert batch.token_mask[b, k, :length].all()
            assert not batch.token_mask[b, k, length:].any()
    assert batch.ids == ("a", "b", "c", "d")
    assert batch.reference_token_logps is None


def test_reference_values_lie_where_the_policys_do(make_batch, trees, tokenizer):
    tokens = Tokeniser(tokenizer, 256).tokenise_all(trees)
    references = [
        BranchLogps(tuple(torch.rand(len(ids)) - 2 for ids in tree.branches)) for tree in tokens
    ]
    _, batch = make_batch(trees, references)
    for b, reference in enumerate(references):
        for k, values in enumerate(reference.token_logps):
            assert (batch.reference_token_logps[b, k, : len(values)] == values).all()
        total = batch.reference_logps[b, : len(reference.sums)]
        torch.testing.assert_close(total, torch.tensor(reference.sums), rtol=1e-5, atol=0)
    assert (batch.reference_token_logps[~batch.token_mask] == 0).all()


def test_reference_is_left_out_where_one_tree_has_none(make_batch, trees, tokenizer):
    tokens = Tokeniser(tokenizer, 256).tokenise(trees[0])
    known = BranchLogps(tuple(torch.zeros(len(ids)) for ids in tokens.branches))
    assert make_batch(trees, [known, None, None, None])[1].reference_token_logps is None


def branch(text, *steps, **settings):
    return Branch(tuple(steps) or (Step(text),), **settings)


def test_objectives_are_those_of_every_branch_of_the_batch(make_batch):
    scored = PreferenceTree(
        "x",
        "q",
        (
            branch("a", scores={"overall": 2, "honesty": 1, "style": 3}),
            branch("b", scores={"overall": 1, "honesty": 4}),
        ),
    )
    other = PreferenceTree(
        "y", "q", (branch("c", scores={"overall": 5, "honesty": 2, "style": 1}),)
    )
    objectives = make_batch([scored, other])[1].objectives
    assert set(objectives) == {"overall", "honesty"}
    assert objectives["honesty"].tolist() == [[1, 4], [2, 0]]


def test_weights_steps_and_step_scores(make_batch):
    tree = PreferenceTree(
        "x",
        "q ",
        (
            branch("", Step("red. ", 0.5), Step("blue.", None), rank=1, weight=0.25),
            branch("green", rank=2),
        ),
        weight=3.0,
    )
    (tokens,), batch = make_batch([tree])
    assert batch.weights.tolist() == [3.0]
    assert batch.branch_weights.tolist() == [[0.25, 1.0]]
    assert batch.scores.tolist() == [[-1, -2]]
    assert batch.step_scores[0, 0, 0] == 0.5
    assert [math.isnan(x) for x in batch.step_scores.flatten().tolist()] == [
        False,
        True,
        True,
        True,
    ]
    first, whole = tokens.step_ends[0]
    assert batch.step_index[0, 0].tolist()[:whole] == [0] * first + [1] * (whole - first)


def test_tree_without_labels_is_refused(tokenizer):
    tree = PreferenceTree("x", "q", (branch("a"), branch("b")))
    with pytest.raises(DataError, match="record x"):
        Example.of(tree, Tokeniser(tokenizer, 64).tokenise(tree), "overall")


def test_batch_survives_the_trainer(make_model, tokenizer, trees, tmp_path):
    tokens = Tokeniser(tokenizer, 256).tokenise_all(trees)
    examples = [Example.of(t, k, "overall") for t, k in zip(trees, tokens, strict=True)]
    trainer = Trainer(
        make_model("llama"),
        TrainingArguments(
            str(tmp_path),
            per_device_train_batch_size=3,
            use_cpu=True,
            remove_unused_columns=False,
            report_to="none",
        ),
        train_dataset=examples,
        data_collator=lambda items: collate(items, 0),
    )
    seen = []
    for inputs in trainer.get_train_dataloader():
        prepared = trainer._prepare_inputs(inputs)
        seen += branch_batch(prepared, prepared["token_mask"].float(), {}).ids
    assert sorted(seen) == ["a", "b", "c", "d"]
