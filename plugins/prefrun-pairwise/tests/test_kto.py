"""KTO and APO-zero on single answers."""

from __future__ import annotations

import pytest
import torch

from prefrun import ConfigError, DataError
from prefrun.records.split import DataSplit, ReadCounts
from prefrun.records.tree import Branch, PreferenceTree, Step
from prefrun_pairwise.kto import apo_zero_unpaired, kl_estimate, kto
from prefrun_pairwise.kto_algo import Kto
from prefrun_pairwise.policy_configs import KtoConfig

RATIOS = torch.tensor([1.0, -1.0, 0.5, -2.0], dtype=torch.float64)
DESIRABLE = torch.tensor([True, False, False, True])
KL = torch.tensor(0.7, dtype=torch.float64)


def test_sides_pull_in_opposite_directions() -> None:
    ratios = RATIOS.clone().requires_grad_()
    kto(ratios, DESIRABLE, KL, beta=0.3).sum().backward()
    assert torch.equal(ratios.grad < 0, DESIRABLE)


def test_gradients_match_finite_differences() -> None:
    ratios = RATIOS.clone().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda h: kto(h, DESIRABLE, KL, beta=0.3, desirable_weight=1.3), ratios
    )


def test_weights_belong_to_their_side() -> None:
    plain = kto(RATIOS, DESIRABLE, KL, beta=0.3)
    weighted = kto(RATIOS, DESIRABLE, KL, beta=0.3, desirable_weight=2, undesirable_weight=3)
    torch.testing.assert_close(weighted, plain * torch.where(DESIRABLE, 2.0, 3.0))


def test_order_of_answers_does_not_matter() -> None:
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(
        kto(RATIOS[order], DESIRABLE[order], KL, beta=0.3),
        kto(RATIOS, DESIRABLE, KL, beta=0.3)[order],
    )


def test_value_at_the_reference_point_is_one_half() -> None:
    values = kto(KL.expand(2), torch.tensor([True, False]), KL, beta=0.3)
    assert values.tolist() == pytest.approx([0.5, 0.5])


def test_apo_zero_is_kto_without_the_kl() -> None:
    torch.testing.assert_close(
        apo_zero_unpaired(RATIOS, DESIRABLE, beta=0.3),
        kto(RATIOS, DESIRABLE, torch.zeros((), dtype=torch.float64), beta=0.3),
    )


def test_huge_log_ratios_stay_finite() -> None:
    ratios = torch.tensor([-1e6, 1e6, -1e6, 1e6], requires_grad=True)
    values = kto(ratios, DESIRABLE, KL.float(), beta=1.0)
    values.sum().backward()
    assert torch.isfinite(values).all()
    assert torch.isfinite(ratios.grad).all()


def test_kl_is_clamped_after_the_mean_and_carries_no_gradient() -> None:
    policy = torch.tensor([-1.0, -5.0], requires_grad=True)
    assert kl_estimate(policy, torch.tensor([-2.0, -5.5])).item() == pytest.approx(0.75)
    assert kl_estimate(policy, torch.tensor([-2.0, -1.0])).item() == 0.0
    assert not kl_estimate(policy, torch.tensor([-2.0, -5.5])).requires_grad


def split_of(*records: tuple[float, ...]) -> DataSplit:
    """Data whose records have answers of these scores."""
    trees = [
        PreferenceTree(
            f"record-{number}",
            "A prompt.",
            tuple(
                Branch((Step(f"answer {place}"),), {"overall": score})
                for place, score in enumerate(scores)
            ),
        )
        for number, scores in enumerate(records)
    ]
    return DataSplit("made", trees, [], "0", ReadCounts())


def threshold_for(data: DataSplit, **keys: float) -> float | None:
    algorithm = Kto(KtoConfig(**keys))
    algorithm.check(data, None)
    return algorithm.threshold


def test_labels_of_single_answers_are_told_apart() -> None:
    assert threshold_for(split_of((1.0,), (0.0,))) == 0.5


def test_ratings_are_compared_with_their_record() -> None:
    assert threshold_for(split_of((4.0, 2.0), (5.0, 5.0))) is None


def test_a_threshold_that_is_set_stays() -> None:
    assert threshold_for(split_of((1.0,), (4.0,)), threshold=3.0) == 3.0


@pytest.mark.parametrize(
    ("records", "keys", "said"),
    [
        ([(1.0,), (1.0,)], {}, "none of 2 training answers is undesirable"),
        ([(0.0,), (0.0, 0.0)], {}, "none of 3 training answers is desirable"),
        ([(4.0,), (2.0,)], {"threshold": 0.5}, "undesirable"),
        ([(3.0, 3.0), (4.0, 4.0)], {}, "is desirable"),
        ([(4.0, 2.0), (3.0,)], {}, "record record-1: a single answer with the score 3"),
    ],
)
def test_data_with_one_kind_of_answer_are_refused(records, keys, said) -> None:
    with pytest.raises(DataError, match=said):
        threshold_for(split_of(*records), **keys)


def test_one_kind_may_be_wanted() -> None:
    assert threshold_for(split_of((1.0,), (1.0,)), undesirable_weight=0.0) == 0.5
    with pytest.raises(ConfigError, match="nothing to train"):
        KtoConfig(desirable_weight=0.0, undesirable_weight=0.0)
