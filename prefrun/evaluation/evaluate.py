"""Runs evaluators one after the other and collects what they measure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from prefrun.algorithm import Outcome
from prefrun.errors import PluginError
from prefrun.evaluation.evaluator import Estimate, EvaluationContext, Evaluator, NotApplicable


def evaluate_all(
    evaluators: Mapping[str, Evaluator],
    context: EvaluationContext,
    show: Callable[[int, int], None] = lambda done, total: None,
    outcome: Outcome | None = None,
) -> dict[str, Any]:
    """Return the content of an evaluation file; EVALUATORS by name, SHOW is told of progress.

    What the algorithm measured itself, in its OUTCOME, comes first.

    `metrics`: by name `value`, `low`, `high` (ends of the 95 % interval or None), `per_record` (one
    number or None per held-out prompt, or None) and `count` (prompts with a number, or None).
    `not_measured`: the reason by evaluator or metric name, also of records that an evaluator leaves
    out. `directions`: 'max', 'min' or 'none' by metric name. Raises PluginError if two report the
    same metric.
    """
    result = own_metrics(outcome) if outcome else {"metrics": {}, "directions": {}}
    metrics, directions = result["metrics"], result["directions"]
    not_measured: dict[str, str] = {}
    owners = dict.fromkeys(metrics, "the algorithm")
    for number, (name, evaluator) in enumerate(evaluators.items()):
        show(number, len(evaluators))
        directions |= evaluator.directions
        try:
            estimates = evaluator.evaluate(context)
        except NotApplicable as reason:
            not_measured[name] = str(reason)
            continue
        for metric, estimate in estimates.items():
            if metric in owners:
                raise PluginError(f"{owners[metric]} and {name} both report '{metric}'")
            owners[metric] = name
            directions.setdefault(metric, estimate.direction or "none")
            if estimate.left_out:
                not_measured[name] = estimate.left_out
            if math.isfinite(estimate.value):
                metrics[metric] = _entry(estimate)
            else:
                not_measured[metric] = f"the value is {estimate.value}"
    show(len(evaluators), len(evaluators))
    return {"metrics": metrics, "not_measured": not_measured, "directions": directions}


def own_metrics(outcome: Outcome) -> dict[str, Any]:
    """Return what an algorithm measured itself, as `evaluate_all` does.

    Raises PluginError for a number that is not finite.
    """
    for name, estimate in outcome.metrics.items():
        if not math.isfinite(estimate.value):
            raise PluginError(f"the algorithm's metric '{name}' is {estimate.value}")
    return {
        "metrics": {name: _entry(estimate) for name, estimate in outcome.metrics.items()},
        "not_measured": {},
        "directions": {**dict.fromkeys(outcome.metrics, "none"), **outcome.directions},
    }


def _entry(estimate: Estimate) -> dict[str, Any]:
    per_record = count = None
    if estimate.per_record is not None:
        per_record = [
            value if value is not None and math.isfinite(value) else None
            for value in estimate.per_record
        ]
        count = sum(value is not None for value in per_record)
    return {
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "per_record": per_record,
        "count": count,
    }
