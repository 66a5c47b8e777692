"""The conformance suite of evaluators, on a stand-in for a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from unittest import SkipTest

from prefrun.component import Component
from prefrun.evaluation.evaluator import Estimate, EvaluationContext, Evaluator, NotApplicable
from prefrun.testing import component as shared
from prefrun.testing.component import ComponentSubject
from prefrun.testing.composition import find_component
from prefrun.testing.context import RandomContext
from prefrun.testing.seeding import seeded
from prefrun.testing.suite import Property, Report, Suite, settle

ENDS = ("max", "min", "none")


class EvaluatorSubject(ComponentSubject):
    """An evaluator, and contexts to measure."""

    def evaluator(self) -> Evaluator:
        """Return a new instance."""
        built = self.build()
        assert isinstance(built, Evaluator), f"the factory made a {type(built).__name__}"
        return built

    def measure(self, *, untrained: bool = False) -> dict[str, Estimate]:
        """Evaluate a policy that differs from the baseline, or is the baseline."""
        context: EvaluationContext = RandomContext(untrained=untrained)
        try:
            return self.evaluator().evaluate(context)
        except NotApplicable as reason:
            raise SkipTest(f"measures nothing on the stand-in: {reason}") from reason


def metrics_are_sound(subject: EvaluatorSubject) -> None:
    """Finite numbers inside their intervals, one number per record where there are any."""
    for untrained in (False, True):
        metrics = subject.measure(untrained=untrained)
        assert metrics, "evaluate() returned no metric"
        for name, estimate in metrics.items():
            assert isinstance(estimate, Estimate), f"{name} is a {type(estimate).__name__}"
            assert math.isfinite(estimate.value), f"{name} is {estimate.value}"
            _assert_interval(name, estimate)
            records = len(RandomContext().trees)
            if estimate.per_record is not None:
                found = len(estimate.per_record)
                assert found == records, f"{name}: {found} numbers for {records} records"


def _assert_interval(name: str, estimate: Estimate) -> None:
    low, high = estimate.low, estimate.high
    assert (low is None) == (high is None), f"{name} has only one end of an interval"
    if low is not None and high is not None:
        inside = low - 1e-9 <= estimate.value <= high + 1e-9
        assert inside, f"{name}: {estimate.value:.9g} is outside {low:.9g} .. {high:.9g}"


def every_metric_has_a_direction(subject: EvaluatorSubject) -> None:
    """`directions` says max, min or none for each metric."""
    directions = subject.evaluator().directions
    for name in subject.measure():
        end = directions.get(name)
        assert end in ENDS, f"directions['{name}'] is {end!r}, not one of {', '.join(ENDS)}"


def evaluation_is_deterministic(subject: EvaluatorSubject) -> None:
    """The same context gives the same metrics; randomness comes from `context.seed` only."""
    with seeded(1):
        first = subject.measure()
    with seeded(2):
        second = subject.measure()
    assert first == second, "two evaluations of the same policy differ"


PROPERTIES = (
    *shared.PROPERTIES,
    Property(metrics_are_sound, ("factory_loads",)),
    Property(every_metric_has_a_direction, ("metrics_are_sound",)),
    Property(evaluation_is_deterministic, ("metrics_are_sound",)),
)


def check_evaluator(
    evaluator: str | Component,
    *,
    overrides: Sequence[str] = (),
) -> Report:
    """Run every check of an evaluator on random policies and return the verdicts.

    EVALUATOR: a name as in `evaluator=[NAME]`, or a Component. Further arguments and errors as for
    `check_algorithm`.
    """
    return settle(suite_of(evaluator, overrides))


def suite_of(
    evaluator: str | Component,
    overrides: Sequence[str] = (),
) -> Suite:
    """Return the checks of an evaluator, none of them judged yet."""
    subject = EvaluatorSubject(find_component("evaluator", evaluator), overrides)
    return Suite(subject, PROPERTIES)
