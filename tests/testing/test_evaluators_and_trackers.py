"""The suites of evaluators and trackers catch what breaks a run."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from prefrun import Component
from prefrun.evaluation.evaluator import Estimate, EvaluationContext, Evaluator, NotApplicable
from prefrun.rundir.run import Run
from prefrun.testing import Report, check_evaluator, check_tracker
from prefrun.tracker import Tracker


@dataclass
class DemoConfig:
    """No keys."""


class Length(Evaluator):
    directions: ClassVar = {"length": "none"}

    def evaluate(self, context: EvaluationContext) -> dict[str, Estimate]:
        lengths = [float(n) for n in context.policy.count_tokens(context.responses())]
        mean = sum(lengths) / len(lengths)
        return {"length": Estimate(mean, min(lengths), max(lengths), lengths)}


class DividesByBaseline(Length):
    def evaluate(self, context: EvaluationContext) -> dict[str, Estimate]:
        gaps = zip(context.rewards(), context.baseline_rewards(), strict=True)
        return {"length": Estimate(1 / sum(abs(one - other) for one, other in gaps))}


class WrongInterval(Length):
    def evaluate(self, context: EvaluationContext) -> dict[str, Estimate]:
        return {"length": Estimate(3.0, 4.0, 5.0)}


class MissingRecords(Length):
    def evaluate(self, context: EvaluationContext) -> dict[str, Estimate]:
        return {"length": Estimate(3.0, per_record=[3.0])}


class NoDirection(Length):
    directions: ClassVar = {}


class NoisyEvaluator(Length):
    def evaluate(self, context: EvaluationContext) -> dict[str, Estimate]:
        return {"length": Estimate(random.random())}


class NeedsAnnotators(Length):
    def evaluate(self, context: EvaluationContext) -> dict[str, Estimate]:
        raise NotApplicable("the records have no second annotator")


class FileTracker(Tracker):
    def start(self, run: Run) -> None:
        self.file = (run.output_dir / "tracked.txt").open("a")

    def log(self, step: int, metrics: Any) -> None:
        self.file.write(f"{step} {metrics}\n")

    def close(self, failed: bool) -> None:
        if hasattr(self, "file"):
            self.file.close()


class OnlyOnce(FileTracker):
    def start(self, run: Run) -> None:
        self.file = (run.output_dir / "tracked.txt").open("x")


class ClosesBlindly(FileTracker):
    def close(self, failed: bool) -> None:
        self.file.close()


class NoFinish(FileTracker):
    def finish(self, summary: Any) -> None:
        raise KeyError(summary["accuracy"])


FAULTS = {
    DividesByBaseline: ["metrics_are_sound"],
    WrongInterval: ["metrics_are_sound"],
    MissingRecords: ["metrics_are_sound"],
    NoDirection: ["every_metric_has_a_direction"],
    NoisyEvaluator: ["evaluation_is_deterministic"],
    OnlyOnce: ["follows_a_resumed_run"],
    ClosesBlindly: ["follows_a_failed_run"],
    NoFinish: ["follows_a_whole_run", "follows_a_resumed_run"],
}


def check(factory: type) -> Report:
    group = "evaluator" if issubclass(factory, Evaluator) else "tracker"
    demo = Component(group, "demo", DemoConfig, f"{__name__}:{factory.__name__}", "a demo")
    return check_evaluator(demo) if group == "evaluator" else check_tracker(demo)


@pytest.mark.parametrize("factory", [Length, FileTracker])
def test_sound_component_passes(factory: type) -> None:
    assert {verdict.status for verdict in check(factory).verdicts} == {"passed"}


@pytest.mark.parametrize(("factory", "names"), FAULTS.items())
def test_fault_fails_the_check_that_names_it(factory: type, names: list[str]) -> None:
    with pytest.raises(AssertionError) as caught:
        check(factory)
    failed = [line.partition(":")[0].strip() for line in str(caught.value).splitlines()[1:]]
    assert failed == names


def test_evaluator_that_does_not_apply_is_skipped_with_its_reason() -> None:
    verdicts = {verdict.name: verdict for verdict in check(NeedsAnnotators).verdicts}
    assert verdicts["metrics_are_sound"].status == "skipped"
    assert "no second annotator" in verdicts["metrics_are_sound"].seen


@pytest.mark.parametrize("name", ["ranking_accuracy", "win_rate", "kl", "response_length"])
def test_evaluators_of_the_host_pass(name: str) -> None:
    assert not check_evaluator(name).failed


def test_tracker_of_the_host_passes() -> None:
    assert not check_tracker("none").failed
