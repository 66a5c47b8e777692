"""A base loss sees the data's own answers only."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from prefrun.base_algorithm import build_loss
from prefrun.errors import ConfigError
from prefrun.testing import make_batch
from prefrun_augmented.around import ROLE, best_and_worst, only_branches, place_of, role_of
from prefrun_augmented.config import RationalesConfig
from prefrun_augmented.rationales import Rationales


def with_last_as_extra(batch):
    """BATCH, the last branch of each tree having role 1."""
    last = batch.branch_mask.sum(-1, keepdim=True) - 1
    roles = (torch.arange(batch.branch_mask.shape[1]) == last).to(batch.scores)
    return replace(batch, objectives={**batch.objectives, ROLE: roles})


def test_the_base_loss_is_that_of_the_records_without_the_extra_branches():
    whole = make_batch(4, 4, ragged=False)
    base = build_loss("dpo", {})
    seen = Rationales(RationalesConfig(gamma=0.0)).loss(with_last_as_extra(whole))
    shorter = only_branches(whole, torch.arange(4) < 3)
    assert torch.equal(seen.loss, base.loss(shorter).loss)
    assert not torch.equal(seen.loss, base.loss(whole).loss)


def test_left_out_branches_are_padding():
    batch = only_branches(make_batch(3, 4, ragged=False), torch.arange(4) < 3)
    assert not batch.token_mask[:, 3].any()
    assert not batch.policy_token_logps[:, 3].any()
    assert sorted(batch.ranks[0].tolist()) == [0, 1, 2, 3]
    assert batch.ranks[:, 3].tolist() == [0, 0, 0]


def test_best_and_worst_are_of_the_datas_own_answers():
    batch = with_last_as_extra(make_batch(5, 4, ragged=False))
    best, worst, differ = best_and_worst(batch)
    own = batch.scores[:, :3]
    assert torch.equal(best, own.argmax(-1))
    assert torch.equal(worst, own.argmin(-1))
    assert differ.all()
    place, has = place_of(batch, 1)
    assert place.tolist() == [3] * 5
    assert has.all()
    assert not place_of(batch, 2)[1].any()
    assert role_of(make_batch()).sum() == 0


def test_an_unknown_base_is_refused():
    with pytest.raises(ConfigError, match=r"algo\.base=dop is not installed\. Did you mean 'dpo'"):
        Rationales(RationalesConfig(base="dop"))
