"""The parts of TPO's loss do what their formulas say."""

from __future__ import annotations

import math

import pytest
import torch

from prefrun_tpo.loss import (
    merge_late_steps,
    merged_embeddings,
    ranking_loss,
    step_weights,
    tree_rewards,
)

INDEX = torch.tensor([[[0, 0, 1, 2, 3], [0, 1, 1, 0, 0]]])
TOKENS = torch.tensor([[[True] * 5, [True] * 3 + [False] * 2]])
BRANCHES = torch.tensor([[True, True]])


def test_late_steps_join_the_shortest_branchs_last_one():
    merged = merge_late_steps(INDEX, TOKENS, BRANCHES)
    assert merged[0, 0].tolist() == [0, 0, 1, 1, 1]
    assert merged[0, 1, :3].tolist() == [0, 1, 1]


def test_a_branch_that_is_padding_or_empty_does_not_shorten_the_others():
    masked = torch.tensor([[True, False]])
    assert merge_late_steps(INDEX, TOKENS, masked)[0, 0].tolist() == [0, 0, 1, 2, 3]
    empty = TOKENS & torch.tensor([True, False])[:, None]
    assert merge_late_steps(INDEX, empty, BRANCHES)[0, 0].tolist() == [0, 0, 1, 2, 3]


def test_a_merged_steps_embedding_is_the_mean_over_all_its_tokens():
    torch.manual_seed(0)
    states = torch.randn(1, 2, 5, 4, dtype=torch.float64)

    def means(index):
        result = torch.zeros(1, 2, 4, 4, dtype=torch.float64)
        for k in range(2):
            for s in range(4):
                chosen = states[0, k][TOKENS[0, k] & (index[0, k] == s)]
                if len(chosen):
                    result[0, k, s] = chosen.mean(0)
        return result

    merged = merge_late_steps(INDEX, TOKENS, BRANCHES)
    found = merged_embeddings(means(INDEX), INDEX, merged, TOKENS)
    torch.testing.assert_close(found, means(merged))


def test_the_reference_branch_weighs_2_and_a_missing_step_0():
    torch.manual_seed(0)
    embeddings = torch.randn(1, 3, 2, 4, dtype=torch.float64)
    present = torch.tensor([[[True, True], [True, False], [True, True]]])
    reference = torch.tensor([2])
    weights = step_weights(embeddings, present, reference, 1.0)
    torch.testing.assert_close(weights[0, 2], torch.full((2,), 2.0, dtype=torch.float64))
    assert weights[0, 1, 1] == 0
    like = torch.cosine_similarity(embeddings[0, 0, 1], embeddings[0, 2, 1], dim=0)
    assert weights[0, 0, 1].item() == pytest.approx(1 + like.item())
    opposite = step_weights(embeddings, present, reference, -1.0)
    torch.testing.assert_close((weights + opposite)[present], torch.full((5,), 2.0).double())


def test_rewards_of_unit_weights_are_dpos_and_their_mean_is_over_steps():
    ratios = torch.tensor([[[1.0, 2.0, 3.0, 4.0, 5.0], [1.0, 1.0, 4.0, 9.0, 9.0]]]).double()
    ones = torch.ones(1, 2, 4, dtype=torch.float64)
    total = tree_rewards(ratios, TOKENS, INDEX, ones, 0.5, "sum_tokens")
    assert total.tolist() == [[7.5, 3.0]]
    present = torch.tensor([[[1.0, 1, 1, 1], [1, 1, 0, 0]]]).double()
    mean = tree_rewards(ratios, TOKENS, INDEX, present, 1.0, "step_mean")
    assert mean.tolist() == [[(1.5 + 3 + 4 + 5) / 4, (1 + 2.5) / 2]]
    nothing = tree_rewards(ratios, TOKENS, INDEX, 0 * ones, 1.0, "step_mean")
    assert nothing.tolist() == [[0.0, 0.0]]


def test_two_branches_are_dpo_times_delta():
    rewards = torch.tensor([[0.3, -0.2]]).double().requires_grad_()
    labels = torch.tensor([[1.0, 0.0]]).double()
    delta = (2 - 1) * abs(1 / math.log(2) - 1 / math.log(3))
    loss = ranking_loss(rewards, labels, BRANCHES)
    assert loss.item() == pytest.approx(delta * math.log1p(math.exp(-0.5)))
    loss.sum().backward()
    assert rewards.grad[0, 0] < 0 < rewards.grad[0, 1]


def test_ties_and_padding_make_no_pair():
    rewards = torch.tensor([[0.3, -0.2, 5.0]]).double()
    mask = torch.tensor([[True, True, False]])
    assert ranking_loss(rewards, torch.tensor([[1.0, 1.0, 0.0]]).double(), mask).item() == 0
