"""The loss of reward models, beside TRL's and a sum by hand."""

from __future__ import annotations

import math

import pytest
import torch

from prefrun.base_algorithm import build_loss
from prefrun.testing import make_batch
from prefrun_pairwise.bradley_terry import bradley_terry_values


def test_the_formula_is_trls():
    better, worse = torch.tensor([1.0, -0.5]), torch.tensor([0.25, 0.5])
    # RewardTrainer.compute_loss of TRL 1.16, with margin and center_rewards_coefficient
    expected = -torch.nn.functional.logsigmoid(better - worse - 0.3) + 0.01 * (better + worse) ** 2
    found = bradley_terry_values(better, worse, torch.tensor([0.3, 0.3]), 0.01)
    torch.testing.assert_close(found, expected)


def test_the_pairs_of_a_record_count_as_one_record():
    batch = make_batch(trees=3, branches=4, ragged=True)
    output = build_loss("bradley_terry", {}).loss(batch)
    total, weight = 0.0, 0.0
    for tree in range(3):
        count = int(batch.branch_mask[tree].sum())
        scores, numbers = batch.scores[tree, :count], batch.policy_logps[tree, :count]
        pairs = [
            math.log1p(math.exp(float(numbers[j] - numbers[i])))
            for i in range(count)
            for j in range(count)
            if scores[i] > scores[j]
        ]
        total += float(batch.weights[tree]) * sum(pairs) / len(pairs)
        weight += float(batch.weights[tree])
    assert float(output.loss) == pytest.approx(total / weight)


def test_margins_are_differences_of_the_datas_scores():
    batch = make_batch(trees=1, branches=2, ragged=False)
    plain, margin = (build_loss("bradley_terry", {"margin_scale": m}).loss(batch) for m in (0, 2))
    numbers, scores = batch.policy_logps[0], batch.scores[0]
    best = int(scores.argmax())
    gap = float(numbers[best] - numbers[1 - best])
    wanted = 2 * float(scores.max() - scores.min())
    assert float(plain.loss) == pytest.approx(math.log1p(math.exp(-gap)))
    assert float(margin.loss) == pytest.approx(math.log1p(math.exp(wanted - gap)))
