"""RankList's formulas and its schedule."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import softplus

from prefrun import ConfigError, DataError
from prefrun.records.split import DataSplit, ReadCounts
from prefrun.testing import make_batch, make_trees
from prefrun_listwise.config import RankListConfig, Score
from prefrun_listwise.ranklist_algo import RankList
from prefrun_listwise.skips import kendall_tau, skip_losses


def random_lists(seed=0):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(4, 6, generator=generator, dtype=torch.float64)
    labels = torch.rand(4, 6, generator=generator, dtype=torch.float64)
    return scores, labels, torch.ones(4, 6, dtype=torch.bool)


def test_all_skips_of_the_exact_form_are_ranknet_on_all_pairs():
    scores, labels, mask = random_lists()
    losses, counts = skip_losses(scores, labels, mask, mode="exact")
    margins = scores.unsqueeze(-1) - scores.unsqueeze(-2)
    better = labels.unsqueeze(-1) > labels.unsqueeze(-2)
    torch.testing.assert_close(losses.sum(-1), (softplus(-margins) * better).sum((-2, -1)))
    assert counts.sum(-1).tolist() == [15] * 4


def test_lse_is_at_most_exact_and_equal_for_one_comparison():
    scores, labels, mask = random_lists()
    (lse, _), (exact, counts) = (
        skip_losses(scores, labels, mask, mode=mode) for mode in ("lse", "exact")
    )
    assert (lse <= exact + 1e-12).all()
    assert counts[:, -1].tolist() == [1] * 4
    torch.testing.assert_close(lse[:, -1], exact[:, -1])
    assert (lse[:, 0] < exact[:, 0]).all()


def test_lse_pulls_most_at_the_worst_violation():
    scores = torch.tensor([[0.0, 4.0, 3.9]], dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([[3.0, 2.0, 1.0]], dtype=torch.float64)
    losses, _ = skip_losses(scores, labels, torch.ones(1, 3).bool(), max_skip=1)
    (gradient,) = torch.autograd.grad(losses.sum(), scores)
    z = torch.tensor([0.0, 4.0, -0.1], dtype=torch.float64)
    shares = torch.softmax(z, 0)
    expected = torch.stack([-shares[1], shares[1] - shares[2], shares[2]])
    torch.testing.assert_close(gradient[0], expected)


def test_a_margin_drops_neighbours_and_keeps_skips():
    scores, _, mask = random_lists()
    labels = torch.arange(6.0).expand(4, 6).double()
    _, counts = skip_losses(scores, labels, mask, min_margin=1.5)
    assert counts[0].tolist() == [0, 4, 3, 2, 1]


def test_padding_changes_nothing():
    scores, labels, mask = random_lists()
    wide = torch.full((4, 2), float("nan"), dtype=torch.float64)
    padded = [torch.cat([part, wide], dim=1) for part in (scores, labels)]
    wide_mask = torch.cat([mask, torch.zeros(4, 2, dtype=torch.bool)], dim=1)
    for mode in ("lse", "exact"):
        losses, counts = skip_losses(scores, labels, mask, mode=mode)
        more, more_counts = skip_losses(*padded, wide_mask, mode=mode)
        torch.testing.assert_close(more[:, :5], losses)
        assert not more[:, 5:].any()
        assert torch.equal(more_counts[:, :5], counts)


def test_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="lse, exact"):
        skip_losses(*random_lists(), mode="sum")


def test_kendall_tau_counts_untied_labels_and_gives_nothing_for_tied_scores():
    scores = torch.tensor([[1.0, 1.0, 0.0, 5.0]])
    labels = torch.tensor([[3.0, 2.0, 2.0, 1.0]])
    tau, pairs = kendall_tau(scores, labels, torch.ones(1, 4).bool())
    assert pairs.item() == 5
    assert tau.item() == pytest.approx((1 - 3) / 5)


def test_the_schedule_shows_further_comparisons_and_survives_a_checkpoint():
    config = RankListConfig(start_skip=1, steps_per_skip=2, max_skip=3)
    algorithm = RankList(config)
    algorithm.module = algorithm.make_module(8)
    batch = make_batch(trees=2, branches=5, ragged=False)
    seen = []
    for _ in range(7):
        output = algorithm.loss(batch)
        seen.append(int(output.metrics["visible_skip"]))
        assert output.sums
        algorithm.step_done(output.sums)
    assert seen == [1, 1, 2, 2, 3, 3, 3]

    resumed = RankList(config)
    resumed.module = resumed.make_module(8)
    resumed.module.load_state_dict(algorithm.module.state_dict())
    torch.testing.assert_close(resumed.loss(batch).loss, algorithm.loss(batch).loss)


def test_what_is_visible_is_what_max_skip_gives():
    batch = make_batch(trees=2, branches=5, ragged=False)
    scheduled = RankList(RankListConfig(start_skip=2, steps_per_skip=100))
    scheduled.module = scheduled.make_module(8)
    torch.testing.assert_close(
        scheduled.loss(batch).loss, RankList(RankListConfig(max_skip=2)).loss(batch).loss
    )


def test_without_a_schedule_there_is_nothing_to_keep():
    algorithm = RankList(RankListConfig())
    assert algorithm.make_module(8) is None
    assert not algorithm.loss(make_batch()).sums


def test_records_are_cut_into_lists_by_seed():
    trees = make_trees(trees=3, branches=5)
    pairs = RankList(RankListConfig(list_size=2)).prepare(trees, seed=1)
    assert [len(tree.branches) for tree in pairs] == [2, 2] * 3
    assert len({tree.id for tree in pairs}) == 6
    for tree, whole in zip(pairs, [t for t in trees for _ in range(2)], strict=True):
        assert all(branch in whole.branches for branch in tree.branches)
    assert pairs != RankList(RankListConfig(list_size=2)).prepare(trees, seed=2)
    parts = RankList(RankListConfig(list_size=3)).prepare(trees, seed=1)
    assert [len(tree.branches) for tree in parts] == [3, 2] * 3


def test_mean_log_probs_need_no_reference():
    assert RankList(RankListConfig()).needs == {"reference"}
    assert not RankList(RankListConfig(score=Score.mean_logp)).needs


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"beta": 0.0}, r"algo\.beta"),
        ({"list_size": 1}, r"algo\.list_size"),
        ({"max_skip": 0}, r"algo\.max_skip"),
        ({"steps_per_skip": 0}, r"algo\.steps_per_skip"),
        ({"skip_decay": 0.0}, r"algo\.skip_decay"),
        ({"min_margin": -0.5}, r"algo\.min_margin"),
        ({"start_skip": 2}, r"algo\.steps_per_skip"),
        ({"start_skip": 3, "max_skip": 2, "steps_per_skip": 5}, r"algo\.start_skip"),
    ],
)
def test_settings_out_of_range_name_their_key(keys, named):
    with pytest.raises(ConfigError, match=named):
        RankListConfig(**keys)


def test_a_margin_that_leaves_no_comparison_is_refused():
    data = DataSplit("made", make_trees(trees=3), [], "0", ReadCounts())
    RankList(RankListConfig()).check(data, None)
    with pytest.raises(DataError, match="differ by more than 50"):
        RankList(RankListConfig(min_margin=50.0)).check(data, None)
