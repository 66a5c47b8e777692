"""Batches from `make_batch` are what the host promises, and reshaping keeps them so."""

from __future__ import annotations

from dataclasses import fields

import pytest
import torch
from torch import Tensor

from prefrun.policy.batch import BranchBatch, competition_ranks
from prefrun.testing import make_batch, make_trees
from prefrun.testing.batches import with_scores
from prefrun.testing.reshaping import (
    AXES,
    GARBAGE,
    add_padding,
    copy_batch,
    permute_branches,
    select_trees,
    spoil_padding,
)


def tensors(batch: BranchBatch) -> dict[str, Tensor]:
    found = {}
    for name in AXES:
        value = getattr(batch, name)
        entries = {name: value} if isinstance(value, Tensor) else value or {}
        found |= {f"{name}.{key}": tensor for key, tensor in entries.items()}
    return found


def same(one: BranchBatch, other: BranchBatch) -> bool:
    left, right = tensors(one), tensors(other)
    return left.keys() == right.keys() and all(
        torch.equal(left[name].nan_to_num(-1), right[name].nan_to_num(-1)) for name in left
    )


def test_every_field_of_a_batch_is_known() -> None:
    assert {item.name for item in fields(BranchBatch)} == {*AXES, "ids", "annotators"}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("branches", [1, 2, 4])
def test_batch_keeps_the_hosts_promises(dtype: torch.dtype, branches: int) -> None:
    batch = make_batch(5, branches, seed=1, dtype=dtype, needs={"reference", "log_collision"})
    assert batch.reference_token_logps is not None
    for logps in (batch.policy_token_logps, batch.reference_token_logps):
        assert logps.dtype == dtype
        assert (logps[batch.token_mask] < 0).all()
        assert not logps[~batch.token_mask].any()
    collision = batch.extras["log_collision"]
    assert (collision <= 0).all()
    assert (collision >= 2 * batch.policy_token_logps - 1e-2).all()
    assert (batch.lengths[batch.branch_mask] > 0).all()
    assert not batch.lengths[~batch.branch_mask].any()
    for name in ("scores", "ranks", "branch_weights"):
        assert not getattr(batch, name)[~batch.branch_mask].any()
    for scores, ranks, mask in zip(batch.scores, batch.ranks, batch.branch_mask, strict=True):
        order = scores[mask].argsort(descending=True)
        assert ranks[mask][order].tolist() == list(range(1, len(order) + 1))


def test_ragged_batches_hold_padding_of_both_kinds() -> None:
    batch = make_batch()
    assert not batch.branch_mask.all()
    assert not batch.token_mask[batch.branch_mask].all()
    assert batch.token_mask[0, 0].all()
    full = make_batch(ragged=False)
    assert full.branch_mask.all()
    assert full.token_mask.all()


def test_seed_decides_everything() -> None:
    assert same(make_batch(seed=3), make_batch(seed=3))
    assert not same(make_batch(seed=3), make_batch(seed=4))
    assert make_trees(seed=3) == make_trees(seed=3)
    assert make_trees(seed=3) != make_trees(seed=4)


def test_step_scores_are_missing_exactly_where_there_is_no_step() -> None:
    batch = make_batch(6)
    for steps, index, mask in zip(
        batch.step_scores.flatten(0, 1),
        batch.step_index.flatten(0, 1),
        batch.token_mask.flatten(0, 1),
        strict=True,
    ):
        existing = set(index[mask].tolist())
        assert [not score.isnan() for score in steps] == [step in existing for step in (0, 1)]


def test_ranks_of_ties_share_the_smallest() -> None:
    scores = torch.tensor([[0.5, 0.9, 0.5, 0.1, 0.0]])
    mask = torch.tensor([[True, True, True, True, False]])
    assert competition_ranks(scores, mask).tolist() == [[2, 1, 2, 4, 0]]


def test_other_scores_bring_their_ranks_and_leave_padding_alone() -> None:
    batch = make_batch()
    tied = with_scores(batch, torch.full_like(batch.scores, 0.5))
    assert (tied.ranks == batch.branch_mask.long()).all()
    assert torch.equal(tied.objectives["overall"], tied.scores)
    assert not tied.scores[~batch.branch_mask].any()


@pytest.mark.parametrize("seed", range(5))
def test_permuting_moves_whole_branches(seed: int) -> None:
    batch = make_batch(needs={"log_collision", "step_embeddings"})
    moved = permute_branches(batch, seed)
    assert torch.equal(moved.branch_mask, batch.branch_mask)
    for tree in range(3):
        assert not torch.equal(moved.scores[tree], batch.scores[tree])
        place = [batch.scores[tree].tolist().index(score) for score in moved.scores[tree].tolist()]
        for name, tensor in tensors(batch).items():
            if name != "weights.weights":
                expected = tensor[tree][place].nan_to_num(-1)
                real = batch.branch_mask[tree]
                assert torch.equal(tensors(moved)[name][tree].nan_to_num(-1)[real], expected[real])


def test_padding_is_added_at_the_end() -> None:
    batch = make_batch(needs={"log_collision", "step_embeddings"})
    wide = add_padding(batch, 2, 3)
    assert wide.policy_token_logps.shape == (3, 6, 10)
    assert not wide.branch_mask[:, 4:].any()
    assert not wide.token_mask[:, :, 7:].any()
    assert wide.step_scores[:, 4:].isnan().all()
    assert not wide.step_embeddings[:, 4:].any()
    assert torch.equal(wide.policy_token_logps[:, :4, :7], batch.policy_token_logps)
    assert torch.equal(wide.ranks[:, :4], batch.ranks)


def test_spoiling_touches_all_padding_and_nothing_else() -> None:
    batch = make_batch(needs={"log_collision", "step_embeddings"})
    spoilt = spoil_padding(batch)
    for name, tensor in tensors(batch).items():
        field = name.partition(".")[0]
        real = batch.token_mask if AXES[field] == "BKT" else batch.branch_mask
        if field in GARBAGE:
            assert torch.equal(tensors(spoilt)[name][real].nan_to_num(), tensor[real].nan_to_num())
            assert (tensors(spoilt)[name][~real] == GARBAGE[field]).all()
        else:
            assert torch.equal(tensors(spoilt)[name], tensor)


def test_selecting_and_copying() -> None:
    batch = make_batch()
    chosen = select_trees(batch, [2, 0])
    assert chosen.ids == ("tree-2", "tree-0")
    assert torch.equal(chosen.policy_token_logps, batch.policy_token_logps[[2, 0]])
    copy = copy_batch(batch)
    copy.scores.zero_()
    assert batch.scores.any()


def test_trees_are_valid_records() -> None:
    for tree in make_trees(20, 3):
        tree.validate(min_branches=3)
        assert sorted(tree.ranks()) == [1, 2, 3]
        assert [branch.rank for branch in tree.branches] == tree.ranks()
