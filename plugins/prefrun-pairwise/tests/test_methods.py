"""The further algorithms on batches and records: what is theirs beside a tested formula."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
import torch

from prefrun import ConfigError, DataError
from prefrun.base_algorithm import build_loss
from prefrun.records.split import DataSplit, ReadCounts
from prefrun.testing import make_batch, make_trees
from prefrun_pairwise.da_dpo import EASINESS
from prefrun_pairwise.difficulty import beta_weights, vote
from prefrun_pairwise.kto_algo import MISMATCHED, split_answers
from prefrun_pairwise.staged import STAGE, Staged

PAIRS = make_batch(trees=5, branches=2, ragged=False)


def split_of(trees):
    return DataSplit("made", trees, [], "made", ReadCounts(len(trees), len(trees)))


def loss_of(name, batch=PAIRS, **keys):
    return build_loss(name, keys).loss(batch)


@pytest.mark.parametrize(
    ("name", "keys", "dpo"),
    [
        ("ipo", {"normalize": "sum"}, {"loss": "ipo", "ipo_normalize": "sum"}),
        ("cdpo", {"label_smoothing": 0.2}, {"loss": "cdpo", "label_smoothing": 0.2}),
        ("cdpo", {"unbiased": True}, {"loss": "robust", "label_smoothing": 0.1}),
        ("ld_dpo", {"ld_alpha": 0.3}, {"ld_alpha": 0.3}),
        ("dpo_norm", {"beta": 2.0}, {"loss": "sigmoid_norm", "beta": 2.0}),
        ("poly_dpo", {"alpha": 0.0}, {}),
        ("poly_dpo", {"alpha": 3.0}, {"loss": "poly", "poly_alpha": 3.0}),
    ],
)
def test_a_variant_is_a_choice_of_dpo(name, keys, dpo):
    assert loss_of(name, **keys).loss.item() == pytest.approx(loss_of("dpo", **dpo).loss.item())


def test_reference_free_losses_ask_for_no_reference():
    for name in ("cpo", "simpo", "orpo"):
        loss = build_loss(name, {})
        assert "reference" not in loss.needs
        assert torch.isfinite(loss.loss(replace(PAIRS, reference_token_logps=None)).loss)


def test_ld_dpo_of_the_policy_alone_does_not_touch_the_reference():
    batch = make_batch(trees=4, branches=2)
    both, policy = (
        loss_of("ld_dpo", batch, ld_alpha=0.0, ld_reference=flag).loss for flag in (True, False)
    )
    assert both.item() != pytest.approx(policy.item())
    assert loss_of("ld_dpo", batch, ld_alpha=1.0, ld_reference=False).loss.item() == pytest.approx(
        loss_of("dpo", batch).loss.item()
    )


def test_simpo_gamma_as_a_ratio_is_multiplied_by_beta():
    ratio = loss_of("simpo", beta=2.5, gamma=0.4, gamma_scale="ratio").loss
    assert ratio.item() == pytest.approx(loss_of("simpo", beta=2.5, gamma=1.0).loss.item())


def test_normalized_poly_dpo_starts_like_dpo():
    batch = replace(PAIRS, reference_token_logps=PAIRS.policy_token_logps)
    gradients = []
    for name, keys in (("dpo", {}), ("poly_dpo", {"normalize_init": True})):
        leaf = batch.policy_token_logps.clone().requires_grad_()
        loss_of(name, batch.with_policy(leaf, {}), **keys).loss.backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(*gradients)


def test_kto_takes_its_reference_point_from_mismatched_answers_only():
    batch = make_batch(trees=4, branches=3, ragged=False)
    marks = torch.zeros_like(batch.scores)
    marks[:, 2] = 1.0
    marked = replace(batch, objectives={**batch.objectives, MISMATCHED: marks})
    expected = batch.log_ratios[:, 2].mean().clamp(min=0)
    output = loss_of("kto", marked)
    assert output.metrics["kl"].item() == pytest.approx(expected.item())
    assert len(output.terms["kto"].values) == 8
    assert loss_of("kto", batch).metrics["kl"].item() == 0.0


def test_kto_gives_every_record_an_answer_of_another_one():
    trees = make_trees(trees=7, branches=3)
    texts = {tree.id: {branch.text for branch in tree.branches} for tree in trees}
    for tree in build_loss("kto", {}).prepare(trees, seed=1):
        assert [branch.scores[MISMATCHED] for branch in tree.branches] == [0, 0, 0, 1]
        assert tree.branches[-1].text not in texts[tree.id]
        assert any(tree.branches[-1].text in other for other in texts.values())
    assert build_loss("kto", {"kl": "none"}).prepare(trees, seed=1) == trees


def test_kto_of_a_single_record_says_what_to_do():
    with pytest.raises(ConfigError, match=r"algo\.kl=none"):
        build_loss("kto", {}).prepare(make_trees(trees=1), seed=0)


def test_answers_are_split_at_the_mean_or_at_the_threshold():
    scores = torch.tensor([[1.0, 3.0, 2.0], [0.1, 0.1, 0.1]])
    good, bad = split_answers(scores, torch.ones(2, 3).bool(), None)
    assert good.tolist() == [[False, True, False], [False] * 3]
    assert bad.tolist() == [[True, False, False], [False] * 3]
    good, bad = split_answers(scores, torch.ones(2, 3).bool(), 0.5)
    assert good.sum() == 3
    assert bad.sum() == 3


def test_voting_counts_each_estimator_on_its_own_scale_by_its_accuracy():
    gaps = [3.0, 1.0, -1.0, 2.0]
    assert vote([gaps, [100 * gap for gap in gaps]]) == pytest.approx(vote([gaps]))
    assert vote([gaps])[0] > vote([gaps])[3] > vote([gaps])[1] > vote([gaps])[2]
    never_right = [-1.0, -2.0, -3.0, -1.5]
    assert vote([gaps, never_right]) == pytest.approx(vote([gaps]))
    assert vote([[0.0, 0.0]]) == [0.5, 0.5]


def test_gap_modes_differ_where_the_chosen_answer_scores_lower():
    scores = torch.tensor([0.9, 0.1]), torch.tensor([0.1, 0.9])
    for mode, expected in (("abs", [1.8, 1.8]), ("relu", [1.8, 1.0]), ("inverse", [1 / 1.8] * 2)):
        torch.testing.assert_close(beta_weights(*scores, 1.0, mode), torch.tensor(expected))


def test_da_dpo_makes_records_of_pairs_with_their_easiness():
    trees = make_trees(trees=5, branches=3)
    keys = {"estimators": ["helpfulness", "honesty"]}
    pairs = build_loss("da_dpo", keys).prepare(trees, seed=0)
    assert len(pairs) == 15
    for pair in pairs:
        assert pair.labels()[0] > pair.labels()[1]
        assert 0 <= pair.branches[0].scores[EASINESS] <= 1
        assert pair.branches[1].scores[EASINESS] == 0
    best = build_loss("da_dpo", {**keys, "pairs": "best_vs_worst"}).prepare(trees, seed=0)
    assert [pair.id for pair in best] == [f"{tree.id}/{_ends(tree)}" for tree in trees]


def _ends(tree):
    labels = tree.labels()
    return f"{labels.index(max(labels))}-{labels.index(min(labels))}"


def test_da_dpo_refuses_unknown_estimators_and_scores_without_a_scale():
    trees = make_trees()
    with pytest.raises(DataError, match="accuracy"):
        build_loss("da_dpo", {"estimators": ["accuracy"]}).check(split_of(trees), None)
    wide = [
        replace(
            t,
            branches=tuple(
                replace(b, scores={"overall": 9.0 * b.scores["overall"]}) for b in t.branches
            ),
        )
        for t in trees
    ]
    with pytest.raises(DataError, match=r"within \[0, 1\]"):
        build_loss("da_dpo", {"difficulty": "given"}).check(split_of(wide), None)


@pytest.mark.parametrize(
    ("name", "keys", "named"),
    [
        ("poly_dpo", {"alpha": -1.5}, r"algo\.alpha"),
        ("da_dpo", {"loss": "aot"}, r"algo\.loss"),
        ("da_dpo", {"db_alpha": 0.0}, r"algo\.db_alpha"),
        ("da_dpo", {"difficulty": "given", "estimators": ["a"]}, r"algo\.estimators"),
        ("cpo", {"loss": "ipo", "label_smoothing": 0.1}, r"algo\.label_smoothing"),
        ("simpo", {"gamma": -1.0}, r"algo\.gamma"),
        ("orpo", {"beta": 0.0}, r"algo\.beta"),
        ("kto", {"desirable_weight": -1.0}, r"algo\.desirable_weight"),
        ("ld_dpo", {"ld_alpha": 1.5}, r"algo\.ld_alpha"),
    ],
)
def test_settings_without_meaning_are_refused(name, keys, named):
    with pytest.raises(ConfigError, match=named):
        build_loss(name, keys)


def test_a_staged_loss_goes_through_its_stages_in_equal_shares():
    trees = [
        replace(tree, metadata={STAGE: number % 3}) for number, tree in enumerate(make_trees(9))
    ]
    staged = Staged(build_loss("dpo", {}), 3)
    order = staged.order(trees, 18, seed=0)
    assert [trees[place].metadata[STAGE] for place in order] == [0] * 6 + [1] * 6 + [2] * 6
    assert set(Counter(order).values()) == {2}
    with pytest.raises(ConfigError, match=r"algo\.reference=previous"):
        staged.order(make_trees(2), 4, seed=0)
