"""Runs evaluators one after the other and collects what they measure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from prefrun.algorithm import Outcome
from prefrun.blame import told
from prefrun.errors import EvaluatorError, PluginError, PrefrunError
from prefrun.evaluation.evaluator import (
    Estimate,
    EvaluationContext,
    Evaluator,
    NoPolicy,
    NotApplicable,
)

OWN = "of_algorithm"
"""Key under which an evaluation file of the start lists what the algorithm measured itself."""


def evaluate_all(
    evaluators: Mapping[str, Evaluator],
    context: EvaluationContext,
    show: Callable[[int, int], None] = lambda done, total: None,
    outcome: Outcome | None = None,
    failures: dict[str, EvaluatorError] | None = None,
) -> dict[str, Any]:
    """Return the content of an evaluation file; EVALUATORS by name, SHOW is told of progress.

    What the algorithm measured itself, in its OUTCOME, comes first.

    `metrics`: by name `value`, `low`, `high` (ends of the 95 % interval or None), `per_record` (one
    number or None per held-out prompt, or None) and `count` (prompts with a number, or None).
    `not_measured`: the reason by evaluator or metric name, also of records that an evaluator leaves
    out. `directions`: 'max', 'min' or 'none' by metric name. An evaluator that fails is
    `not_measured`, and its error goes into FAILURES by its name, so that the others' results stay.
    Without FAILURES EvaluatorError is raised.
    """
    result = own_metrics(outcome.metrics, outcome.directions, failures) if outcome else nothing()
    owners = dict.fromkeys(result["metrics"], "the algorithm")
    for number, (name, evaluator) in enumerate(evaluators.items()):
        show(number, len(evaluators))
        directions = dict(result["directions"])
        try:
            _add(result, owners, name, evaluator, context)
        except NoPolicy:
            result["directions"] = directions
        except NotApplicable as reason:
            result["not_measured"][name] = str(reason)
        except Exception as error:  # a plugin's code may raise anything
            failure = _failure(name, evaluator, error)
            if failures is None:
                raise failure from error
            failures[name] = failure
            result["not_measured"][name] = str(failure)
    show(len(evaluators), len(evaluators))
    return result


def _failure(name: str, evaluator: object, error: Exception) -> EvaluatorError:
    """Return what is said of EVALUATOR, chosen by NAME, which failed with ERROR."""
    is_ours = isinstance(error, PrefrunError)
    reason = str(error) if is_ours else told(error, type(evaluator).__module__)
    failure = EvaluatorError(f"evaluator={name} failed: {reason}", (name,))
    failure.exit_code = error.exit_code if isinstance(error, PrefrunError) else 1
    failure.__cause__ = error
    return failure


def all_of(failures: Mapping[str, EvaluatorError]) -> EvaluatorError:
    """Return the error that ends a run in which evaluators, by name, failed."""
    first, *others = failures.values()
    if not others:
        return first
    error = EvaluatorError("\n".join(map(str, failures.values())), tuple(failures))
    error.exit_code = min(each.exit_code for each in failures.values())
    error.__cause__ = first
    return error


def nothing() -> dict[str, Any]:
    """Return the content of an evaluation file in which nothing is measured."""
    return {"metrics": {}, "not_measured": {}, "directions": {}}


def _add(
    result: dict[str, Any],
    owners: dict[str, str],
    name: str,
    evaluator: Evaluator,
    context: EvaluationContext,
) -> None:
    """Add to RESULT what EVALUATOR measures: all of it, or nothing where it raises."""
    result["directions"] |= evaluator.directions
    estimates: Any = evaluator.evaluate(context)
    if not isinstance(estimates, Mapping):
        kind = type(estimates).__name__
        raise PluginError(f"evaluate returned {kind}, not a mapping of names to Estimate")
    metrics, directions, not_measured = {}, {}, {}
    for metric, estimate in estimates.items():
        if metric in owners:
            raise PluginError(f"{owners[metric]} and {name} both report '{metric}'")
        if not isinstance(estimate, Estimate):
            kind = type(estimate).__name__
            raise PluginError(f"evaluate returned {kind} for '{metric}', not an Estimate")
        directions[metric] = estimate.direction or "none"
        if estimate.left_out:
            not_measured[name] = estimate.left_out
        if math.isfinite(estimate.value):
            metrics[metric] = _entry(estimate)
        else:
            not_measured[metric] = f"the value is {float(estimate.value)}"
    owners |= dict.fromkeys(estimates, name)
    result["metrics"] |= metrics
    result["not_measured"] |= not_measured
    result["directions"] = directions | result["directions"]


def own_metrics(
    metrics: Mapping[str, Estimate],
    directions: Mapping[str, str],
    failures: dict[str, EvaluatorError] | None = None,
) -> dict[str, Any]:
    """Return METRICS, which an algorithm measured itself, as `evaluate_all` does.

    A number that is not finite is `not_measured` and goes into FAILURES; without them PluginError
    is raised.
    """
    result = nothing()
    result["directions"] = {**dict.fromkeys(metrics, "none"), **directions}
    for name, estimate in metrics.items():
        if math.isfinite(estimate.value):
            result["metrics"][name] = _entry(estimate)
            continue
        error = PluginError(f"the algorithm's metric '{name}' is {float(estimate.value)}")
        if failures is None:
            raise error
        failures[name] = EvaluatorError(str(error))
        result["not_measured"][name] = str(error)
    return result


def with_own(
    before: Mapping[str, Any], outcome: Outcome, failures: dict[str, EvaluatorError]
) -> dict[str, Any]:
    """Return BEFORE, the content of an evaluation file, with what OUTCOME says of the start.

    What an earlier try of the run added is replaced. Raises PluginError if an evaluator has
    measured one of its metrics, too.
    """
    earlier = before.get(OWN, [])
    metrics = {name: each for name, each in before["metrics"].items() if name not in earlier}
    for name in outcome.before:
        if name in metrics:
            raise PluginError(f"the algorithm and an evaluator both report '{name}' of the start")
    directions = {name: outcome.directions.get(name, "none") for name in outcome.before}
    own = own_metrics(outcome.before, directions, failures)
    joined = {key: {**own[key], **before[key]} for key in ("not_measured", "directions")}
    return {**before, **joined, "metrics": {**own["metrics"], **metrics}, OWN: [*outcome.before]}


def _entry(estimate: Estimate) -> dict[str, Any]:
    per_record = count = None
    if estimate.per_record is not None:
        per_record = [
            float(value) if value is not None and math.isfinite(value) else None
            for value in estimate.per_record
        ]
        count = sum(value is not None for value in per_record)
    return {
        "value": float(estimate.value),
        "low": None if estimate.low is None else float(estimate.low),
        "high": None if estimate.high is None else float(estimate.high),
        "per_record": per_record,
        "count": count,
    }
