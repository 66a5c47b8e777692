"""PRO's formulas, and what algo=pro_ranking does with records."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from prefrun import ConfigError, DataError
from prefrun.testing import make_batch, make_trees
from prefrun_listwise.config import ProRankingConfig
from prefrun_listwise.pro import rank_losses, sft_losses
from prefrun_listwise.pro_algo import ProRanking

ONES = torch.ones(1, 3, dtype=torch.bool)


def doubles(*rows):
    return torch.tensor(rows, dtype=torch.float64)


def test_without_temperatures_it_is_plackett_luce():
    scores = doubles([-1.0, -0.5, -2.0])
    expected = [
        -torch.log_softmax(scores[0], 0)[0],
        -torch.log_softmax(scores[0, 1:], 0)[0],
    ]
    losses = rank_losses(scores, doubles([3.0, 2.0, 1.0]), ONES, use_temperature=False)
    torch.testing.assert_close(losses[0], torch.stack(expected))


def test_the_authors_eps_stops_the_gradient_where_the_exact_form_does_not():
    scores = doubles([-8.0, -12.0, -40.0]).requires_grad_()
    rewards = doubles([5.0, 0.0, -1.0])
    exact, official = (rank_losses(scores, rewards, ONES, eps=eps) for eps in (0.0, 1e-10))
    # p g = -48, -60, ...: below log(1e-10) = -23
    (by_exact,) = torch.autograd.grad(exact[0, 0], scores)
    (by_official,) = torch.autograd.grad(official[0, 0], scores)
    assert by_official[0, 1].item() == pytest.approx(0.0, abs=1e-9)
    assert by_official[0, 0].item() == pytest.approx(-6.0, abs=1e-6)
    assert by_exact[0, 0].item() == pytest.approx(-6.0 * (1 - torch.sigmoid(doubles(12.0)).item()))


def test_gradient_raises_the_best_and_lowers_the_rest():
    scores = doubles([-1.0, -1.1, -0.9]).requires_grad_()
    losses = rank_losses(scores, doubles([3.0, 2.0, 1.0]), ONES)
    (gradient,) = torch.autograd.grad(losses[0, 0], scores)
    assert gradient[0, 0] < 0 < gradient[0, 1:].min()


@pytest.mark.parametrize("use_temperature", [True, False])
def test_a_free_table_of_log_probs_learns_every_order(use_temperature):
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(100, 5, generator=generator, dtype=torch.float64).requires_grad_()
    rewards = torch.arange(5.0, 0.0, -1.0, dtype=torch.float64).expand(100, 5)
    mask = torch.ones(100, 5, dtype=torch.bool)
    optimizer = torch.optim.Adam([table], lr=0.2)
    for _ in range(300):
        scores = -torch.nn.functional.softplus(table)  # log-probs are below 0
        losses = rank_losses(scores, rewards, mask, use_temperature=use_temperature)
        optimizer.zero_grad()
        losses.sum(-1).mean().backward()
        optimizer.step()
    assert (scores.diff(dim=-1) < 0).all()


def test_equal_rewards_train_only_the_supervised_term():
    scores = doubles([-1.0, -0.5, -2.0]).requires_grad_()
    losses = rank_losses(scores, doubles([1.0, 1.0, 1.0]), ONES)
    (gradient,) = torch.autograd.grad(losses.sum(), scores)
    torch.testing.assert_close(losses[0].exp(), doubles(3.0, 2.0))
    assert not gradient.any()


def test_the_supervised_term_grows_with_the_square_of_the_list():
    logps = doubles([-10.0, -20.0, -30.0])
    sizes = torch.tensor([3])
    assert sft_losses(logps, torch.tensor([1]), sizes, 0.05).item() == pytest.approx(0.05 * 4 * 20)


def test_an_unsorted_list_is_sorted_and_the_best_is_imitated():
    batch = make_batch(trees=1, branches=3, ragged=False)
    batch = replace(batch, scores=doubles([0.1, 0.9, 0.5]))
    leaf = batch.policy_token_logps.clone().requires_grad_()
    output = ProRanking(ProRankingConfig(ranking=False)).loss(batch.with_policy(leaf, {}))
    (gradient,) = torch.autograd.grad(output.loss, leaf)
    assert list(output.terms) == ["sft"]
    assert gradient[0, 1].unique().tolist() == [-0.2]
    assert not gradient[0, [0, 2]].any()


def test_a_list_of_one_answer_is_refused_by_name():
    trees = make_trees(trees=2)
    lonely = replace(trees[1], branches=trees[1].branches[:1])
    data = SimpleNamespace(train=[trees[0], lonely], test=[], objective="overall")
    with pytest.raises(DataError, match=lonely.id):
        ProRanking(ProRankingConfig()).check(data, None)


def test_shorter_lists_keep_the_best_and_lie_inside_longer_ones():
    trees = make_trees(trees=20, branches=5)
    kept = {
        length: ProRanking(ProRankingConfig(ranking_length=length)).prepare(trees, seed=1)
        for length in (2, 3, 5)
    }
    assert kept[5] == trees
    for two, three, whole in zip(kept[2], kept[3], trees, strict=True):
        assert len(two.branches) == 2
        assert len(three.branches) == 3
        assert whole.branches[whole.ranks().index(1)] in two.branches
        assert all(branch in three.branches for branch in two.branches)
    others = ProRanking(ProRankingConfig(ranking_length=2)).prepare(trees, seed=2)
    assert others != kept[2]


def test_the_best_by_the_runs_objective_is_kept():
    trees = make_trees(trees=20, branches=4)
    algorithm = ProRanking(ProRankingConfig(ranking_length=2))
    algorithm.check(SimpleNamespace(train=trees, test=[], objective="honesty"), None)
    for short, whole in zip(algorithm.prepare(trees, seed=0), trees, strict=True):
        assert whole.branches[whole.ranks("honesty").index(1)] in short.branches


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"sft_weight": -1.0}, r"algo\.sft_weight"),
        ({"eps": float("inf")}, r"algo\.eps"),
        ({"ranking_length": 1}, r"algo\.ranking_length"),
        ({"ranking": False, "sft_weight": 0.0}, r"algo\.ranking"),
    ],
)
def test_settings_out_of_range_name_their_key(keys, named):
    with pytest.raises(ConfigError, match=named):
        ProRankingConfig(**keys)
