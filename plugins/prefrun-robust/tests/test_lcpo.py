"""LCPO's EM: what it learns, what it remembers, and how it takes a base loss."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import logsigmoid

from prefrun import ConfigError
from prefrun.algorithm import LossAlgorithm, LossOutput, Term
from prefrun.testing import make_batch, make_trees
from prefrun.testing.reshaping import select_trees
from prefrun_robust.lcpo import base_loss
from prefrun_robust.lcpo.algo import Lcpo
from prefrun_robust.lcpo.bases import BASES, Side
from prefrun_robust.lcpo.config import (
    LcpoConfig,
    MStep,
    NoisyAnnotatorsConfig,
    PairChoice,
    Reliability,
)
from prefrun_robust.lcpo.loss import gibbs_logits, label_posterior
from prefrun_robust.lcpo.pairs import choose_pairs
from prefrun_robust.lcpo.world import NoisyAnnotators


def make_lcpo(annotators=("anna", "ben"), **keys) -> Lcpo:
    algorithm = Lcpo(LcpoConfig(**keys))
    trees = [replace(make_trees(1)[0], annotator=name) for name in annotators]
    algorithm.prepare(trees, seed=0)
    algorithm.module = algorithm.make_module(0).double()
    return algorithm


def step(algorithm: Lcpo, batch) -> None:
    algorithm.step_done(algorithm.loss(batch).sums)


def sides() -> tuple[Side, Side]:
    draw = torch.Generator().manual_seed(0)
    values = -5 * torch.rand(2, 2, 6, dtype=torch.float64, generator=draw)
    lengths = torch.tensor([[3.0, 1, 4, 2, 6, 5], [2.0, 7, 1, 8, 2, 3]], dtype=torch.float64)
    return Side(values[0, 0], values[0, 1], lengths[0]), Side(
        values[1, 0], values[1, 1], lengths[1]
    )


@pytest.mark.parametrize(
    ("base", "keys", "expected"),
    [
        ("dpo", {"beta": 0.3}, lambda w, r: 0.3 * (w.ratio - r.ratio)),
        ("ipo", {"tau": 0.2, "average": False}, lambda w, r: 2 * (w.ratio - r.ratio) / 0.2),
        (
            "ipo",
            {"tau": 0.2},
            lambda w, r: 2 * (w.ratio / w.length - r.ratio / r.length) / 0.2,
        ),
        (
            "simpo",
            {"beta": 2.0, "gamma": 0.7},
            lambda w, r: (
                -logsigmoid(-(2 * (w.mean - r.mean) + 0.7))
                + logsigmoid(2 * (w.mean - r.mean) - 0.7)
            ),
        ),
        (
            "cpo",
            {"beta": 0.4, "nll_weight": 0.6},
            lambda w, r: 0.4 * (w.policy - r.policy) + 0.6 * (w.mean - r.mean),
        ),
    ],
)
def test_the_posterior_s_logit_in_closed_form(base, keys, expected):
    winner, loser = sides()
    loss = BASES[base]
    logits = gibbs_logits(loss(winner, loser, **keys), loss(loser, winner, **keys))
    torch.testing.assert_close(logits, expected(winner, loser))


def test_only_annotators_of_the_step_move():
    algorithm = make_lcpo()
    batch = replace(make_batch(trees=2), annotators=("anna", "anna"))
    step(algorithm, batch)
    anna, ben = algorithm.module.eta[1:].tolist()
    assert anna != pytest.approx(0.9)
    assert ben == pytest.approx(0.9)


def test_a_step_s_passes_are_one_update():
    """Sums of two passes, added up as the host does, move eta as one pass of both records."""
    whole, parts = make_lcpo(), make_lcpo()
    batch = replace(make_batch(trees=2, ragged=False), annotators=("anna", "anna"))
    step(whole, batch)
    sums = [parts.loss(select_trees(batch, [tree])).sums for tree in (0, 1)]
    parts.step_done({name: sums[0][name] + sums[1][name] for name in sums[0]})
    torch.testing.assert_close(parts.module.eta, whole.module.eta)


def test_a_loss_alone_changes_no_reliability():
    algorithm = make_lcpo()
    before = algorithm.module.eta.clone()
    algorithm.loss(make_batch())
    assert torch.equal(algorithm.module.eta, before)


def test_the_state_survives_a_checkpoint():
    algorithm, again = make_lcpo(), make_lcpo()
    for seed in range(3):
        step(algorithm, make_batch(seed=seed))
    again.module.load_state_dict(algorithm.module.state_dict())
    assert torch.equal(again.module.eta, algorithm.module.eta)
    assert again.module.steps == 3
    batch = make_batch(seed=9)
    assert torch.equal(again.loss(batch).loss, algorithm.loss(batch).loss)


def test_shared_reliability_has_one_number():
    algorithm = make_lcpo(reliability=Reliability.shared)
    assert algorithm.module.eta.shape == (1,)
    metrics = algorithm.loss(make_batch()).metrics
    assert [name for name in metrics if name.startswith("eta/")] == ["eta/all"]


def test_records_without_annotator_share_the_first_reliability():
    algorithm = make_lcpo(annotators=("anna", None))
    metrics = algorithm.loss(make_batch()).metrics
    assert {name for name in metrics if name.startswith("eta/")} == {"eta/anna", "eta/unknown"}
    assert algorithm.module.index(["", "anna", "stranger"]).tolist() == [0, 1, 0]


def test_warm_up_is_label_smoothing_and_then_ends():
    algorithm = make_lcpo(warmup_steps=1, eta0=0.8)
    batch = make_batch(trees=4, branches=2, ragged=False)
    trees, branches = choose_pairs(batch, PairChoice.all)
    ratios = batch.log_ratios[trees.unsqueeze(-1), branches]
    margins = 0.1 * (ratios[:, 0] - ratios[:, 1])
    smoothed = -0.8 * logsigmoid(margins) - 0.2 * logsigmoid(-margins)
    weights = batch.weights[trees]
    expected = (smoothed * weights).sum() / weights.sum()
    assert algorithm.loss(batch).loss.item() == pytest.approx(expected.item())
    step(algorithm, batch)
    assert algorithm.module.eta.tolist() == pytest.approx([0.8] * 3)
    assert algorithm.loss(batch).loss.item() != pytest.approx(expected.item())


def test_reliability_can_be_kept_above_one_half():
    batch = make_batch(branches=2)
    against = replace(
        batch, policy_token_logps=batch.policy_token_logps - 500 * batch.scores[..., None]
    )
    for keep, least in ((False, 0.0), (True, 0.5)):
        algorithm = make_lcpo(ema=1.0, keep_above_half=keep)
        step(algorithm, against)
        assert algorithm.module.eta.min().item() == pytest.approx(least, abs=1e-6)


class OwnDpo(LossAlgorithm):
    """DPO of the best against the other answer, as another plugin might write it."""

    def loss(self, batch):
        ratios = 0.25 * batch.log_ratios
        sign = (batch.scores[:, 0] - batch.scores[:, 1]).sign()
        values = -logsigmoid(sign * (ratios[:, 0] - ratios[:, 1]))
        return LossOutput({"dpo": Term(values, batch.weights)})


class OneNumber(OwnDpo):
    def loss(self, batch):
        return LossOutput({"all": Term(super().loss(batch).loss[None], torch.ones(1))})


@pytest.mark.parametrize("m_step", MStep)
def test_an_installed_base_is_asked_with_exchanged_labels(monkeypatch, m_step):
    monkeypatch.setattr(base_loss, "build_loss", lambda name, keys: OwnDpo(None))
    installed = make_lcpo(base="theirs", m_step=m_step)
    own = make_lcpo(base="dpo", base_keys={"beta": 0.25}, m_step=m_step)
    batch = make_batch(trees=4)
    assert installed.loss(batch).loss.item() == pytest.approx(own.loss(batch).loss.item())


def test_a_base_without_one_value_a_pair_is_refused(monkeypatch):
    monkeypatch.setattr(base_loss, "build_loss", lambda name, keys: OneNumber(None))
    with pytest.raises(ConfigError, match="one value a pair"):
        make_lcpo(base="theirs").loss(make_batch())


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"eta0": 0.5}, r"algo\.eta0"),
        ({"ema": 0.0}, r"algo\.ema"),
        ({"warmup_steps": -1}, r"algo\.warmup_steps"),
        ({"nll_in_posterior": False}, r"algo\.nll_in_posterior"),
        ({"base": "dpoo"}, r"algo\.base=dpoo"),
        ({"base": "lcpo"}, "parameters of its own"),
        ({"base_keys": {"betta": 1}}, r"algo\.base_keys\.betta.*beta"),
        ({"base_keys": {"beta": 0}}, r"algo\.base_keys\.beta=0"),
        ({"base": "ipo", "base_keys": {"average": 1}}, "true or false"),
    ],
)
def test_settings_out_of_range_name_their_key(keys, named):
    with pytest.raises(ConfigError, match=named):
        Lcpo(LcpoConfig(**keys))


def test_cpo_s_nll_can_be_left_out_of_the_posterior():
    batch = make_batch(branches=2)
    without = make_lcpo(base="cpo", nll_in_posterior=False)
    plain = make_lcpo(base="cpo", base_keys={"nll_weight": 0.0})
    assert without.loss(batch).loss.item() == pytest.approx(plain.loss(batch).loss.item())
    assert make_lcpo(base="cpo").loss(batch).loss.item() != pytest.approx(
        plain.loss(batch).loss.item()
    )


def test_the_exact_iteration_finds_the_true_reliability():
    """Theorem 4.1: with calibrated p, eta <- mean w converges to the share of right labels."""
    draw = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(20_000, dtype=torch.float64, generator=draw)
    clean = torch.rand(20_000, dtype=torch.float64, generator=draw) < torch.sigmoid(logits)
    kept = torch.rand(20_000, generator=draw) < 0.7
    observed = torch.where(clean == kept, logits, -logits)
    eta = torch.tensor(0.9, dtype=torch.float64)
    for _ in range(100):
        eta = label_posterior(observed, eta.expand_as(observed)).mean()
    assert eta.item() == pytest.approx(0.7, abs=0.02)


def test_the_world_flips_labels_at_the_named_rates():
    config = NoisyAnnotatorsConfig(records=6000, test_records=1, reliabilities=[1.0, 0.6])
    trees = NoisyAnnotators(config).load(0).train
    for annotator, rate in (("annotator-0", 1.0), ("annotator-1", 0.6)):
        clean = [tree.metadata["clean"] for tree in trees if tree.annotator == annotator]
        assert sum(clean) / len(clean) == pytest.approx(rate, abs=4 * math.sqrt(0.25 / len(clean)))
