"""Each broken loss fails exactly the check that names its fault; a correct one passes all."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from prefrun import Component
from prefrun.algorithm import LossAlgorithm, LossOutput, Term
from prefrun.policy.batch import BranchBatch
from prefrun.testing import check_algorithm

CALLS = itertools.count(1)


@dataclass
class DpoConfig:
    beta: float = 0.1


class Dpo(LossAlgorithm):
    """DPO on all pairs of a list, without a fault."""

    card = "DPO on all pairs of a list. Source: Rafailov et al., arXiv 2305.18290."
    vectors = "dpo.json"
    golden = f"{__name__}:golden"

    def loss(self, batch: BranchBatch) -> LossOutput:
        better = self.better(batch)
        values = self.pair_values(self.margins(self.ratios(batch))).masked_fill(~better, 0.0)
        counts = better.sum((1, 2)).to(values)
        means = values.sum((1, 2)) / counts.clamp(min=1.0)
        return LossOutput({"dpo": Term(means, self.weights(batch, counts))})

    def loss_at_start(self) -> float:
        return math.log(2)

    def ratios(self, batch: BranchBatch) -> Tensor:
        return batch.log_ratios

    def margins(self, ratios: Tensor) -> Tensor:
        return ratios[:, :, None] - ratios[:, None, :]

    def better(self, batch: BranchBatch) -> Tensor:
        both = batch.branch_mask[:, :, None] & batch.branch_mask[:, None, :]
        return (batch.scores[:, :, None] > batch.scores[:, None, :]) & both

    def pair_values(self, margins: Tensor) -> Tensor:
        return -logsigmoid(self.config.beta * margins)

    def weights(self, batch: BranchBatch, counts: Tensor) -> Tensor:
        return counts * batch.weights


class WrongSign(Dpo):
    def margins(self, ratios: Tensor) -> Tensor:
        return -super().margins(ratios)


class WrongNumber(Dpo):
    golden = f"{__name__}:golden_of_wrong_number"

    def pair_values(self, margins: Tensor) -> Tensor:
        return super().pair_values(margins * 1.001)


class SumOfPairs(Dpo):
    def weights(self, batch: BranchBatch, counts: Tensor) -> Tensor:
        return batch.weights * (counts > 0)

    def loss(self, batch: BranchBatch) -> LossOutput:
        (term,) = super().loss(batch).terms.values()
        counts = self.better(batch).sum((1, 2))
        return LossOutput({"dpo": Term(term.values * counts, term.weights)})


class ReferenceGradient(Dpo):
    def ratios(self, batch: BranchBatch) -> Tensor:
        return batch.policy_logps - (batch.reference_token_logps * batch.token_mask).sum(-1)


class MeanOverPadding(Dpo):
    def ratios(self, batch: BranchBatch) -> Tensor:
        return batch.log_ratios / batch.token_mask.shape[-1]


class ReadsPaddedTokens(Dpo):
    def ratios(self, batch: BranchBatch) -> Tensor:
        return batch.policy_token_logps.sum(-1) - batch.reference_logps


class OrderDependence(Dpo):
    def ratios(self, batch: BranchBatch) -> Tensor:
        return batch.log_ratios * torch.ones_like(batch.scores).cumsum(-1)


class TreeOrderDependence(Dpo):
    def weights(self, batch: BranchBatch, counts: Tensor) -> Tensor:
        return counts / torch.ones_like(counts).cumsum(-1)


class NanOnTies(Dpo):
    def ratios(self, batch: BranchBatch) -> Tensor:
        spread = batch.scores.amax(-1) - batch.scores.masked_fill(~batch.branch_mask, 1).amin(-1)
        return batch.log_ratios * (spread / spread)[:, None]


class NanOnEqualLogps(Dpo):
    def ratios(self, batch: BranchBatch) -> Tensor:
        logps = batch.policy_logps
        spread = (logps - logps[:, :1]).abs().sum(-1).detach()
        return batch.log_ratios * (spread / spread)[:, None]


class NanOnOneBranch(Dpo):
    def weights(self, batch: BranchBatch, counts: Tensor) -> Tensor:
        rivals = batch.branch_mask.sum(-1) - 1.0
        return batch.weights * rivals / rivals


class NanAtStepZero(Dpo):
    def ratios(self, batch: BranchBatch) -> Tensor:
        return batch.log_ratios * batch.log_ratios.square().sum(-1, keepdim=True).sqrt()


class Overflow(Dpo):
    def pair_values(self, margins: Tensor) -> Tensor:
        return torch.log(1 + torch.exp(-margins))


class HiddenState(Dpo):
    def weights(self, batch: BranchBatch, counts: Tensor) -> Tensor:
        counts = counts + counts * (torch.arange(len(counts)) == 0) * next(CALLS)
        return counts * batch.weights


class NonDeterministic(Dpo):
    def ratios(self, batch: BranchBatch) -> Tensor:
        return batch.log_ratios + 0.1 * torch.rand(batch.scores.shape)


class WrongDevice(Dpo):
    def margins(self, ratios: Tensor) -> Tensor:
        diagonal = torch.eye(ratios.shape[1], dtype=torch.bool)
        return super().margins(ratios).masked_fill(diagonal, 0.0)


class ConstantOnTheCpu(Dpo):
    def __init__(self, config: DpoConfig) -> None:
        super().__init__(config)
        self.scale = torch.ones(1)

    def ratios(self, batch: BranchBatch) -> Tensor:
        return batch.log_ratios * self.scale


class TakenToTheCpu(Dpo):
    def ratios(self, batch: BranchBatch) -> Tensor:
        return batch.log_ratios * torch.ones_like(batch.scores.cpu())


class LogsFromTheCpu(Dpo):
    """No fault: what went to the CPU stays there, and the batch where it is."""

    def weights(self, batch: BranchBatch, counts: Tensor) -> Tensor:
        batch.scores.cpu().sum()
        first = torch.arange(len(counts)).to(counts.device) == 0
        return counts * batch.weights * first.logical_or(batch.scores.isfinite().all(-1))


class Remembers(torch.nn.Module):
    """A number that moves with every step."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("steps", torch.ones(()))


class Forgets(torch.nn.Module):
    """The same, in no checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = torch.ones(())


class SavedState(Dpo):
    memory: type[torch.nn.Module] = Remembers

    def make_module(self, hidden_size: int) -> torch.nn.Module:
        return self.memory()

    def step_done(self, sums: Mapping[str, Tensor]) -> None:
        self.module.steps += 1

    def ratios(self, batch: BranchBatch) -> Tensor:
        return batch.log_ratios * self.module.steps


class UnsavedState(SavedState):
    memory = Forgets


class MutatedInput(Dpo):
    def better(self, batch: BranchBatch) -> Tensor:
        batch.scores.sub_(batch.scores.mean(-1, keepdim=True))
        return super().better(batch)


class PairsOnly(Dpo):
    def margins(self, ratios: Tensor) -> Tensor:
        first, second = ratios.unbind(1)
        gap = first - second
        return torch.stack([gap * 0, gap, -gap, gap * 0], dim=-1).view(-1, 2, 2)


class CoupledBatch(Dpo):
    def ratios(self, batch: BranchBatch) -> Tensor:
        return batch.log_ratios / (1 + batch.weights.max())


class SinglePrecision(Dpo):
    def ratios(self, batch: BranchBatch) -> Tensor:
        return batch.log_ratios.float()


class HalfTheGradient(Dpo):
    def margins(self, ratios: Tensor) -> Tensor:
        return ratios[:, :, None] - ratios.detach()[:, None, :]


class NoGradient(Dpo):
    def ratios(self, batch: BranchBatch) -> Tensor:
        return batch.log_ratios.detach()


class NumpyLabels(Dpo):
    def better(self, batch: BranchBatch) -> Tensor:
        batch.scores.numpy()  # numpy has no bfloat16
        return super().better(batch)


class DoublePrecision(Dpo):
    def ratios(self, batch: BranchBatch) -> Tensor:
        return batch.log_ratios.double()


class ReadsAnItem(Dpo):
    def better(self, batch: BranchBatch) -> Tensor:
        assert batch.lengths.max().item() > 0
        return super().better(batch)


class ReadsAList(Dpo):
    def better(self, batch: BranchBatch) -> Tensor:
        assert len(batch.policy_logps.detach().tolist()) == len(batch.scores)
        return super().better(batch)


class ReadsAFloat(Dpo):
    def better(self, batch: BranchBatch) -> Tensor:
        assert math.exp(batch.policy_logps.detach().sum()) >= 0
        return super().better(batch)


class CopiesANumber(Dpo):
    def weights(self, batch: BranchBatch, counts: Tensor) -> Tensor:
        return counts * torch.tensor([*batch.weights]).to(counts)


class PolicyWeights(Dpo):
    def weights(self, batch: BranchBatch, counts: Tensor) -> Tensor:
        return counts * batch.policy_logps.detach().sum(-1).exp()


class WeightsWithGradient(Dpo):
    def weights(self, batch: BranchBatch, counts: Tensor) -> Tensor:
        return counts * batch.policy_logps.sum(-1).exp()


FAULTS = {
    WrongSign: "step_prefers_better_answers",
    WrongNumber: "golden_vectors",
    SumOfPairs: "step_zero_value",
    WrongDevice: "runs_on_the_batchs_device",
    ConstantOnTheCpu: "runs_on_the_batchs_device",
    TakenToTheCpu: "runs_on_the_batchs_device",
    UnsavedState: "module_survives_saving",
    ReferenceGradient: "no_gradient_reaches_the_reference",
    MeanOverPadding: "padding_can_be_added",
    ReadsPaddedTokens: "padding_values_do_not_matter",
    OrderDependence: "branch_order_does_not_matter",
    TreeOrderDependence: "tree_order_does_not_matter",
    NanOnTies: "ties_are_finite",
    NanOnEqualLogps: "identical_branches_are_finite",
    NanOnOneBranch: "single_branch_is_finite",
    NanAtStepZero: "step_zero_is_finite",
    Overflow: "huge_log_ratios_are_finite",
    HiddenState: "keeps_no_state",
    NonDeterministic: "is_deterministic",
    MutatedInput: "input_is_not_mutated",
    PairsOnly: "any_branch_count",
    CoupledBatch: "micro_batches_add_up",
    SinglePrecision: "gradient_matches_finite_differences",
    HalfTheGradient: "gradient_matches_finite_differences",
    NoGradient: "gradient_is_not_zero",
    NumpyLabels: "bfloat16_stays_finite",
    DoublePrecision: "keeps_the_batchs_dtype",
    ReadsAnItem: "reads_no_numbers",
    ReadsAList: "reads_no_numbers",
    ReadsAFloat: "reads_no_numbers",
    CopiesANumber: "reads_no_numbers",
    PolicyWeights: "weights_depend_on_data_only",
    WeightsWithGradient: "weights_are_constants",
}


def golden(inputs: dict, hyper: dict, name: str, factory: type[Dpo] = Dpo) -> dict:
    margins = torch.tensor(inputs["margins"], dtype=torch.float64)
    return {"losses": factory(DpoConfig(**hyper)).pair_values(margins)}


def golden_of_wrong_number(inputs: dict, hyper: dict, name: str) -> dict:
    return golden(inputs, hyper, name, WrongNumber)


@pytest.fixture(autouse=True)
def vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = {
        "name": "two_pairs",
        "inputs": {"margins": [1.0, 0.0]},
        "hyper": {"beta": 0.1},
        "expected": {"losses": [0.644396660073571, 0.6931471805599453]},
    }
    (tmp_path / "dpo.json").write_text(json.dumps([case]))
    monkeypatch.setenv("PREFRUN_VECTORS", str(tmp_path))


def component(factory: type[Dpo]) -> Component:
    return Component("algo", "demo", DpoConfig, f"{__name__}:{factory.__name__}", "a loss")


@pytest.mark.parametrize("factory", [Dpo, LogsFromTheCpu])
def test_correct_loss_passes_every_check(factory: type[Dpo]) -> None:
    report = check_algorithm(component(factory))
    unjudged = {v.name: v.status for v in report.verdicts if v.status != "passed"}
    assert unjudged == {"module_survives_saving": "skipped"}
    assert len(report.verdicts) > 30


def test_correct_state_passes_every_check() -> None:
    report = check_algorithm(component(SavedState))
    assert {verdict.status for verdict in report.verdicts} == {"passed"}


@pytest.mark.parametrize(("factory", "name"), FAULTS.items())
def test_fault_fails_the_check_that_names_it(factory: type[Dpo], name: str) -> None:
    with pytest.raises(AssertionError) as caught:
        check_algorithm(component(factory))
    headline, *failed = str(caught.value).splitlines()
    assert headline.startswith("algo=demo fails 1 of ")
    assert [line.partition(":")[0].strip() for line in failed] == [name]


def test_coupling_by_definition_can_be_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CoupledBatch, "batch_coupled", True)
    verdicts = {v.name: v for v in check_algorithm(component(CoupledBatch)).verdicts}
    assert verdicts["micro_batches_add_up"].status == "skipped"
    assert "batch_coupled" in verdicts["micro_batches_add_up"].seen
