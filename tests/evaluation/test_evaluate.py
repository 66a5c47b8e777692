"""What an evaluation file holds, whatever the evaluators do."""

from __future__ import annotations

import math
from typing import Any

import pytest

from prefrun.errors import EvaluatorError
from prefrun.evaluation.evaluate import evaluate_all
from prefrun.evaluation.evaluator import Estimate, Evaluator, NotApplicable


class Reports(Evaluator):
    """Reports the estimates it is made with."""

    directions = {"good": "max"}  # noqa: RUF012 - as a plugin author would write it

    def __init__(self, **estimates: Estimate) -> None:
        super().__init__(None)
        self.estimates = estimates

    def evaluate(self, context: Any) -> dict[str, Estimate]:
        return self.estimates


class Refuses(Evaluator):
    """Needs what the run has not."""

    directions = {"missing": "min"}  # noqa: RUF012

    def evaluate(self, context: Any) -> dict[str, Estimate]:
        raise NotApplicable("the run has no reward")


def evaluate(**evaluators: Evaluator) -> dict[str, Any]:
    context: Any = None
    return evaluate_all(evaluators, context)


def test_metrics_keep_value_interval_and_each_prompt() -> None:
    result = evaluate(
        a=Reports(good=Estimate(0.5, 0.25, 0.75, (1.0, None, 0.0))), b=Reports(x=Estimate(2.0))
    )
    assert result == {
        "metrics": {
            "good": {
                "value": 0.5,
                "low": 0.25,
                "high": 0.75,
                "per_record": [1.0, None, 0.0],
                "count": 2,
            },
            "x": {"value": 2.0, "low": None, "high": None, "per_record": None, "count": None},
        },
        "not_measured": {},
        "directions": {"good": "max", "x": "none"},
    }


def test_an_evaluator_that_does_not_apply_is_listed_and_the_others_go_on() -> None:
    result = evaluate(refuses=Refuses(None), reports=Reports(good=Estimate(1.0)))
    assert result["not_measured"] == {"refuses": "the run has no reward"}
    assert list(result["metrics"]) == ["good"]
    assert result["directions"] == {"missing": "min", "good": "max"}


def test_records_that_are_left_out_are_told_beside_the_number() -> None:
    result = evaluate(a=Reports(good=Estimate(0.5, left_out="left out 1 of 3 held-out records")))
    assert result["metrics"]["good"]["value"] == 0.5
    assert result["not_measured"] == {"a": "left out 1 of 3 held-out records"}


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_no_number_is_listed_with_its_reason(value: float) -> None:
    result = evaluate(reports=Reports(good=Estimate(value), fine=Estimate(1.0)))
    assert result["not_measured"] == {"good": f"the value is {value}"}
    assert list(result["metrics"]) == ["fine"]


def test_two_evaluators_with_one_metric_are_refused_by_name() -> None:
    with pytest.raises(EvaluatorError, match="first and second both report 'good'"):
        evaluate(first=Reports(good=Estimate(1.0)), second=Reports(good=Estimate(2.0)))


def test_an_evaluator_that_measures_nothing_is_listed() -> None:
    assert evaluate(bare=Evaluator(None))["not_measured"] == {"bare": "Evaluator measures nothing"}


def test_progress_ends_at_the_number_of_evaluators() -> None:
    seen: list[tuple[int, int]] = []
    context: Any = None
    evaluators = {"a": Reports(), "b": Reports()}
    evaluate_all(evaluators, context, lambda done, total: seen.append((done, total)))
    assert seen == [(0, 2), (1, 2), (2, 2)]


def test_an_estimate_may_name_its_direction():
    result = evaluate(reports=Reports(made_up=Estimate(1.0, direction="min"), good=Estimate(2.0)))
    assert result["directions"] == {"made_up": "min", "good": "max"}
