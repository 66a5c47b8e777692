"""What the kit says of an algorithm's settings, card, records and output."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from prefrun import Component
from prefrun.algorithm import DecodingAlgorithm, LossAlgorithm, LossOutput, Term
from prefrun.policy.batch import BranchBatch
from prefrun.policy.policy import Policy
from prefrun.records.tree import PreferenceTree
from prefrun.testing import algorithm_checks, check_algorithm


@dataclass
class PointConfig:
    """Keys of the correct loss."""

    beta: float = 0.1


@dataclass
class GrowingConfig:
    """Changes each time that it is read."""

    beta: float = 0.1

    def __post_init__(self) -> None:
        self.beta *= 2


class Point(LossAlgorithm):
    """Squared distance of each implied reward from its score, without a fault."""

    card = "Pointwise regression. Source: Liu et al., arXiv 2402.01878, point-mse."

    def loss(self, batch: BranchBatch) -> LossOutput:
        gaps = (batch.scores - self.config.beta * batch.log_ratios) * batch.branch_mask
        return LossOutput({"point": Term(gaps.square().sum(-1), self.weights(batch))})

    def weights(self, batch: BranchBatch) -> torch.Tensor:
        return batch.weights


class NoCard(Point):
    card = "A new loss."


class OneBranch(Point):
    def prepare(self, trees: Sequence[PreferenceTree], seed: int) -> list[PreferenceTree]:
        return [replace(tree, branches=tree.branches[:1]) for tree in trees]


class MisspeltKey(Point):
    trainer_keys = frozenset({"max_step"})


class ReadInstead(Point):
    instead: ClassVar = {"max_steps": "algo.steps"}


class UnseededShuffle(Point):
    def prepare(self, trees: Sequence[PreferenceTree], seed: int) -> list[PreferenceTree]:
        return random.sample(list(trees), len(trees))


class EmptiedRecords(Point):
    def prepare(self, trees: Sequence[PreferenceTree], seed: int) -> list[PreferenceTree]:
        assert isinstance(trees, list)
        trees.pop()
        return trees


class BareNumber(Point):
    def loss(self, batch: BranchBatch) -> LossOutput:
        return super().loss(batch).loss


class WrongShape(Point):
    def weights(self, batch: BranchBatch) -> torch.Tensor:
        return batch.branch_mask.to(batch.scores)


class NegativeWeights(Point):
    def weights(self, batch: BranchBatch) -> torch.Tensor:
        return batch.weights - 1.0


class AttachedMetric(Point):
    def loss(self, batch: BranchBatch) -> LossOutput:
        output = super().loss(batch.with_policy(batch.policy_token_logps.requires_grad_(), {}))
        return LossOutput(output.terms, {"loss": output.loss})


class AlwaysNan(Point):
    def weights(self, batch: BranchBatch) -> torch.Tensor:
        return batch.weights * torch.nan


class Unbuildable(Point):
    def __init__(self, config: PointConfig) -> None:
        raise RuntimeError("no such model")


class NoAlgorithm:
    def __init__(self, config: PointConfig) -> None:
        pass


class Greedy(DecodingAlgorithm):
    card = "Greedy decoding; source: folklore."

    def wrap(self, services: object) -> Policy:
        raise AssertionError("the kit wraps no policy")


def component(factory: type, config: type = PointConfig, summary: str = "a loss") -> Component:
    return Component("algo", "demo", config, f"{__name__}:{factory.__name__}", summary)


def failures(demo: Component) -> list[str]:
    with pytest.raises(AssertionError) as caught:
        check_algorithm(demo)
    return [line.partition(":")[0].strip() for line in str(caught.value).splitlines()[1:]]


@pytest.mark.parametrize(
    ("factory", "name"),
    [
        (NoCard, "card_names_its_source"),
        (MisspeltKey, "trainer_keys_are_known"),
        (ReadInstead, "trainer_keys_are_known"),
        (OneBranch, "prepare_keeps_records_valid"),
        (UnseededShuffle, "prepare_is_deterministic"),
        (EmptiedRecords, "prepare_is_deterministic"),
        (BareNumber, "output_is_well_formed"),
        (WrongShape, "output_is_well_formed"),
        (AttachedMetric, "output_is_well_formed"),
        (NegativeWeights, "weights_are_constants"),
        (Unbuildable, "factory_loads"),
        (NoAlgorithm, "is_an_algorithm"),
    ],
)
def test_fault_fails_the_check_that_names_it(factory: type, name: str) -> None:
    assert failures(component(factory)) == [name]


def test_a_malformed_output_names_the_line_of_the_loss() -> None:
    said = r"values of shape \[3\] and weights of shape \[3, 4\]"
    with pytest.raises(AssertionError, match=said) as e:
        check_algorithm(component(WrongShape))
    assert f"{__file__}:{Point.loss.__code__.co_firstlineno}: WrongShape.loss" in str(e.value)


def test_nan_blocks_what_cannot_be_judged() -> None:
    assert failures(component(AlwaysNan)) == ["weights_are_constants", "loss_is_a_finite_scalar"]


def test_missing_module_is_one_failure() -> None:
    demo = Component("algo", "demo", PointConfig, "no_such_module:Loss", "a loss")
    assert failures(demo) == ["factory_loads"]


def test_settings_must_survive_storage() -> None:
    @dataclass
    class LocalConfig:
        """pickle cannot find it."""

        beta: float = 0.1

    assert failures(component(Point, LocalConfig)) == ["config_pickles"]
    assert failures(component(Point, GrowingConfig)) == ["config_survives_yaml"]


def test_summary_must_be_one_line() -> None:
    assert failures(component(Point, summary="")) == ["summary_is_one_line"]
    assert failures(component(Point, summary="a\nb")) == ["summary_is_one_line"]


def test_missing_vectors_are_shown_not_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    report = check_algorithm(component(Point))
    skipped = [verdict for verdict in report.verdicts if verdict.status != "passed"]
    assert [verdict.name for verdict in skipped] == [
        "golden_vectors",
        "step_zero_value",
        "module_survives_saving",
    ]
    assert "golden_vectors: skipped: no vectors" in capsys.readouterr().out


def test_overrides_reach_the_loss() -> None:
    names = [check.__name__ for check in algorithm_checks(component(Point), overrides=["beta=2"])]
    assert "algo=demo beta=2-ties_are_finite" in names
    with pytest.raises(AssertionError, match=r"composes_with_defaults: .*'big'"):
        check_algorithm(component(Point), overrides=["beta=big"])
    with pytest.raises(AssertionError, match=r"composes_with_defaults: .*betaa"):
        check_algorithm(component(Point), overrides=["betaa=1"])


def test_algorithm_without_a_loss_gets_the_checks_that_fit_it(tmp_path: Path) -> None:
    names = [verdict.name for verdict in check_algorithm(component(Greedy)).verdicts]
    assert "card_names_its_source" in names
    assert "ties_are_finite" not in names


def test_component_of_another_group_is_refused() -> None:
    demo = replace(component(Point), group="data")
    with pytest.raises(ValueError, match="of the group 'data', not 'algo'"):
        check_algorithm(demo)
