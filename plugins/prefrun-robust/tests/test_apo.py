"""APO: the momentum step, the simulation, and whole runs of a tiny model."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from prefrun import ConfigError
from prefrun.errors import DataError
from prefrun.records.tree import Branch, PreferenceTree, Step
from prefrun.schema import TrainerConfig
from prefrun.testing import algorithm_checks, check_data, make_batch
from prefrun_robust.apo_momentum.algo import ApoMomentum, steps_of
from prefrun_robust.apo_momentum.config import (
    ApoMomentumConfig,
    ApoTabularConfig,
    InnerLoss,
    RewardTableConfig,
)
from prefrun_robust.apo_momentum.inner import RoundSppo
from prefrun_robust.apo_momentum.labelling import Sampled, training_records, win_probabilities
from prefrun_robust.apo_momentum.momentum import extrapolated_product
from prefrun_robust.apo_momentum.simulation import ApoTabular, tables
from prefrun_robust.apo_momentum.table import RewardTable
from prefrun_robust.apo_momentum.tabular import regret, rounds
from prefrun_robust.sparsepo.config import CountSevensConfig
from prefrun_robust.sparsepo.world import CountSevens


@pytest.mark.parametrize("check", algorithm_checks("apo_momentum"))
def test_conformance(check):
    check()


@pytest.mark.parametrize("check", algorithm_checks("apo_tabular"))
def test_the_simulation_conforms(check):
    check()


def test_the_generated_data_conform():
    check_data("reward_table", overrides=["prompts=3", "answers=4"])


def test_increments_grow_as_the_theory_says():
    """d_t = alpha d_{t-1} + r / beta for the increments of log pihat, up to a constant."""
    draw = torch.Generator().manual_seed(0)
    reference = torch.randn(6, dtype=torch.float64, generator=draw).log_softmax(-1)
    rewards = torch.rand(6, dtype=torch.float64, generator=draw)
    hats = [reference, *(h for h, _ in rounds(reference, rewards, beta=2.0, alpha=0.6, count=5))]
    increments = [new - old for old, new in pairwise(hats)]
    for before, after in pairwise(increments):
        gap = after - 0.6 * before - rewards / 2.0
        torch.testing.assert_close(gap, gap[:1].expand(6))


def test_momentum_lowers_the_regret_from_the_second_round_on():
    split = RewardTable(RewardTableConfig(prompts=30)).load(1)
    reference, rewards = tables(split.test, "overall")
    curves = [
        [float(regret(hat, rewards).mean()) for hat, _ in steps]
        for alpha in (0.0, 0.3, 0.6, 0.9)
        for steps in [rounds(reference, rewards, beta=1.0, alpha=alpha, count=10)]
    ]
    first, *later = zip(*curves, strict=True)
    assert len(set(first)) == 1
    for values in later:
        assert list(values) == sorted(values, reverse=True)
        assert len(set(values)) == 4


def test_tables_of_different_sizes():
    def tree(name, scores):
        branches = tuple(
            Branch((Step(f"answer {k}"),), scores={"overall": s}) for k, s in enumerate(scores)
        )
        return PreferenceTree(name, "prompt", branches)

    reference, rewards = tables([tree("a", [1.0, 3.0]), tree("b", [2.0, 4.0, 0.0])], "overall")
    assert reference[0, 2] == -torch.inf
    hat, _ = next(rounds(reference, rewards, beta=1.0, alpha=0.5, count=1))
    assert regret(hat, rewards)[0].item() == pytest.approx(
        regret(torch.tensor([[1.0, 3.0]]).log_softmax(-1), torch.tensor([[1.0, 3.0]])).item()
    )


def test_a_table_must_fit_its_reference():
    split = RewardTable(RewardTableConfig(prompts=1)).load(0)
    split.test[0].metadata["reference_logits"].pop()
    with pytest.raises(DataError, match="49 numbers for 50 answers"):
        ApoTabular(ApoTabularConfig()).check(split, None)


def test_a_low_rank_product_is_extrapolated_and_not_its_factors():
    draw = torch.Generator().manual_seed(0)

    def factors(rank):
        down = torch.randn(rank, 7, dtype=torch.float64, generator=draw)
        return down, torch.randn(5, rank, dtype=torch.float64, generator=draw)

    new, old = factors(4), factors(4)
    wanted = 1.3 * new[1] @ new[0] - 0.3 * old[1] @ old[0]
    down, up, lost = extrapolated_product(new, old, 0.3)
    assert (down.shape, up.shape) == (new[0].shape, new[1].shape)
    u, singular, vh = torch.linalg.svd(wanted, full_matrices=False)
    best = u[:, :4] @ singular[:4].diag() @ vh[:4]
    torch.testing.assert_close(up @ down, best)
    assert lost == pytest.approx(float(singular[4:].norm() / singular.norm()))
    same = extrapolated_product(new, (old[0], torch.zeros(5, 4).double()), 0.3)
    torch.testing.assert_close(same[1] @ same[0], 1.3 * new[1] @ new[0])
    assert same[2] == pytest.approx(0.0, abs=1e-12)


def test_win_probabilities_leave_the_answer_itself_out():
    assert win_probabilities([3.0, 1.0, 1.0]) == [1.0, 0.25, 0.25]


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (InnerLoss.dpo, [("a", 2.0, 1.0), ("b", 0.0, 1.0)]),
        (InnerLoss.sppo, [("a", 1.0, 1.0), ("b", 0.25, 2.0)]),
    ],
)
def test_records_of_a_round(loss, expected):
    trees = [PreferenceTree("1", "x"), PreferenceTree("2", "y")]
    drawn = [Sampled("1", ("b", "a", "b"), (0.0, 2.0, 0.0)), Sampled("2", ("a", "b"), (1.0, 1.0))]
    (record,) = training_records(trees, drawn, "help", loss)
    assert record.id == "1"
    found = [(branch.text, branch.scores["help"], branch.weight) for branch in record.branches]
    assert sorted(found) == expected


def test_sppo_sums_over_answers_and_counts_repeated_ones():
    batch = make_batch(branches=3)
    config = ApoMomentumConfig(loss=InnerLoss.sppo, eta=4.0)
    gaps = (batch.log_ratios - 4.0 * (batch.scores - 0.5)).square() * batch.branch_weights
    values = gaps.masked_fill(~batch.branch_mask, 0.0).sum(-1)
    expected = (values * batch.weights).sum() / batch.weights.sum()
    assert RoundSppo(config).loss(batch).loss.item() == pytest.approx(expected.item())


def test_the_steps_of_a_round_are_counted():
    assert steps_of(TrainerConfig(max_steps=7), 100) == 7
    assert steps_of(TrainerConfig(max_steps=-1, epochs=2.0, batch_size=16), 40) == 6


def test_a_run_without_reward_or_prompts_is_refused():
    data = CountSevens(CountSevensConfig(2, 1)).load(0)
    with pytest.raises(ConfigError, match="no reward"):
        ApoMomentum(ApoMomentumConfig()).check(data, None)
    with pytest.raises(DataError, match=r"algo\.rounds=3"):
        ApoMomentum(ApoMomentumConfig()).check(data, data.reward)


@pytest.mark.parametrize(
    ("config", "keys", "named"),
    [
        (ApoMomentumConfig, {"alpha": 1.0}, r"algo\.alpha"),
        (ApoMomentumConfig, {"rounds": 0}, r"algo\.rounds"),
        (ApoMomentumConfig, {"samples": 1}, r"algo\.samples"),
        (ApoMomentumConfig, {"eta": 0}, r"algo\.eta"),
        (ApoTabularConfig, {"beta": 0}, r"algo\.beta"),
        (RewardTableConfig, {"answers": 1}, r"data\.answers"),
    ],
)
def test_settings_out_of_range_name_their_key(config, keys, named):
    with pytest.raises(ConfigError, match=named):
        config(**keys)
