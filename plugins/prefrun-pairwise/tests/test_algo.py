"""How algo=dpo makes pairs of a list, and what it refuses."""

from __future__ import annotations

import pytest
import torch

from prefrun import ConfigError
from prefrun.testing import make_batch
from prefrun_pairwise.algo import Dpo, choose_pairs
from prefrun_pairwise.config import DpoConfig, Loss, PairChoice

SCORES = torch.tensor([[3.0, 1.0, 3.0, 2.0], [5.0, 4.0, 9.0, 9.0]])
MASK = torch.tensor([[True, True, True, True], [True, True, False, False]])


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (PairChoice.all, {(0, 0, 1), (0, 0, 3), (0, 2, 1), (0, 2, 3), (0, 3, 1), (1, 0, 1)}),
        (PairChoice.best_vs_rest, {(0, 0, 1), (0, 0, 3), (1, 0, 1)}),
        (PairChoice.best_vs_worst, {(0, 0, 1), (1, 0, 1)}),
    ],
)
def test_pairs_of_a_list(choice, expected):
    trees, chosen, rejected = choose_pairs(SCORES, MASK, choice)
    pairs = zip(trees.tolist(), chosen.tolist(), rejected.tolist(), strict=True)
    assert set(pairs) == expected


def test_two_answers_give_dpo_s_formula():
    batch = make_batch(trees=5, branches=2, ragged=False)
    h = batch.log_ratios
    best = batch.scores.argmax(-1, keepdim=True)
    margins = (h.gather(-1, best) - h.gather(-1, 1 - best)).squeeze(-1)
    tied = batch.scores[:, 0] == batch.scores[:, 1]
    expected = -torch.nn.functional.logsigmoid(0.1 * margins[~tied])
    weights = batch.weights[~tied]
    loss = Dpo(DpoConfig()).loss(batch).loss
    assert loss.item() == pytest.approx(((expected * weights).sum() / weights.sum()).item())


def test_a_mixture_adds_up():
    batch = make_batch()
    parts = {name: Dpo(DpoConfig(loss=Loss[name])).loss(batch).loss for name in ("sigmoid", "sft")}
    mixed = Dpo(DpoConfig(loss_weight=0.8, extra_losses={"sft": 0.5})).loss(batch).loss
    assert mixed.item() == pytest.approx((0.8 * parts["sigmoid"] + 0.5 * parts["sft"]).item())


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"beta": 0.0}, r"algo\.beta"),
        ({"label_smoothing": 0.1}, "label_smoothing"),
        ({"loss": Loss["exo_pair"]}, "label_smoothing"),
        ({"ld_alpha": 2.0}, r"algo\.ld_alpha"),
        ({"discopop_tau": 0.0}, r"algo\.discopop_tau"),
        ({"extra_losses": {"sftt": 1.0}}, "sftt"),
        ({"extra_losses": {"sft": -1.0}}, r"algo\.extra_losses"),
        ({"gamma": 0.5}, "gamma"),
        ({"loss": Loss["aot"], "wpo": True}, "aot"),
    ],
)
def test_settings_without_meaning_are_refused(keys, named):
    with pytest.raises(ConfigError, match=named):
        DpoConfig(**keys)
