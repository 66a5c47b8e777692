"""Measures the weights of held-out prompts: fit to the targets, choices, front, classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from prefrun.evaluation.evaluator import Estimate
from prefrun.evaluation.interval import mean_with_interval
from prefrun_orchestrator.pareto import on_front
from prefrun_orchestrator.results import Result, Weighting
from prefrun_orchestrator.selection import (
    Candidates,
    Chosen,
    choose,
    classes_of,
    fixed_weights,
    front_volumes,
    mean_by_class,
)
from prefrun_orchestrator.targets import relative_entropy

if TYPE_CHECKING:
    from prefrun.records.tree import PreferenceTree
    from prefrun.training.services import Services
    from prefrun_orchestrator.prompt_weights import PromptWeights
    from prefrun_orchestrator.weights import Statistics

TRUE_WEIGHTS = "true_weights"
"""Metadata key of generated data: the weights that a record's utility was made with."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Metrics for the summary, and the result for report and comparison."""

    metrics: dict[str, Estimate]
    directions: dict[str, str]
    result: Result


def measure(
    services: Services,
    weights: PromptWeights,
    train: Sequence[Tensor],
    test: Sequence[Tensor],
    log_target: Tensor,
    pool: Statistics,
    class_key: str | None,
) -> Measured:
    """Measure WEIGHTS on the held-out records.

    train, test: per record, rewards [n, K]; log_target: [N, K] of the held-out records.
    """
    data, own = services.data, "adapter" if weights.adapter is not None else "given"
    predicted = weights(data.test)
    found = _Metrics(services)
    classes = classes_of(data.test, class_key)
    if weights.adapter is not None:
        _fit_metrics(found, data.test, predicted, log_target, classes[1] if classes else None)
    candidates = Candidates.of(data.test, test, data.objective, weights.normalise)
    chosen: list[Chosen] = []
    if candidates.rewards:
        training = Candidates.of(data.train, train, data.objective, weights.normalise)
        chosen = _choices(candidates, training, weights, data.test, own)
        for each in chosen:
            found.mean(f"utility/{each.name}", each.utility, "max")
            found.mean(f"regret/{each.name}", each.regret, "min")
    volumes = front_volumes(chosen, own, pool)
    for name, volume in volumes.items():
        found.add(f"hypervolume/{name}", volume, "max")
    flags = on_front([each.means for each in chosen]) if chosen else []
    result = Result(
        objectives=weights.objectives,
        own=own,
        weightings=[_weighting(*pair) for pair in zip(chosen, flags, strict=True)],
        hypervolume=volumes,
        low=pool.min.tolist(),
        high=pool.max.tolist(),
        class_key=classes[0] if classes else None,
        class_weights=mean_by_class(predicted, classes[1]) if classes else None,
        class_targets=mean_by_class(log_target.exp(), classes[1]) if classes else None,
    )
    return Measured(found.metrics, found.directions, result)


def _choices(
    candidates: Candidates,
    training: Candidates,
    weights: PromptWeights,
    trees: Sequence[PreferenceTree],
    own: str,
) -> list[Chosen]:
    """Choose by the run's own weights, by fixed ones and, where known, by the true ones."""
    kept = [tree for tree in trees if len(tree.branches) > 1]
    chosen = [choose(own, candidates, weights(kept))]
    for name, row in fixed_weights(weights.objectives, training).items():
        chosen.append(choose(name, candidates, row.expand(len(kept), -1)))
    return chosen


def _fit_metrics(
    found: _Metrics,
    trees: Sequence[PreferenceTree],
    predicted: Tensor,
    log_target: Tensor,
    classes: Sequence[str] | None,
) -> None:
    """How near the weights [N, K] are to their targets, and to true weights where there are any."""
    target = log_target.exp()
    gaps = (target * (log_target - predicted.clamp(min=1e-12).log())).sum(-1)
    found.mean("weights/kl", gaps.tolist(), "min")
    found.mean("weights/l1_target", (predicted - target).abs().sum(-1).tolist(), "min")
    found.add("weights/entropy", relative_entropy(predicted.clamp(min=1e-12).log()), "none")
    found.add("weights/target_entropy", relative_entropy(log_target), "none")
    if classes is not None:
        means = mean_by_class(target, classes)
        expected = torch.tensor([means[name] for name in classes], dtype=torch.float64)
        found.mean("weights/l1_class", (predicted - expected).abs().sum(-1).tolist(), "min")
    if all(TRUE_WEIGHTS in tree.metadata for tree in trees):
        true = torch.tensor([tree.metadata[TRUE_WEIGHTS] for tree in trees], dtype=torch.float64)
        found.mean("weights/l1_true", (predicted - true).abs().sum(-1).tolist(), "min")


def _weighting(chosen: Chosen, flag: bool) -> Weighting:
    return Weighting(
        chosen.name,
        chosen.weights,
        chosen.means,
        fmean(chosen.utility),
        fmean(chosen.regret),
        flag,
    )


class _Metrics:
    """Collects estimates and directions."""

    def __init__(self, services: Services) -> None:
        self.metrics: dict[str, Estimate] = {}
        self.directions: dict[str, str] = {}
        self._count = len(services.data.test)
        self._resamples = services.config.evaluation.bootstrap
        self._seed = services.run.seed

    def mean(self, name: str, values: Sequence[float], direction: str) -> None:
        """Add the mean of VALUES with its interval."""
        estimate = mean_with_interval(values, resamples=self._resamples, seed=self._seed)
        if len(values) != self._count:  # then they are no number per held-out record
            estimate = Estimate(estimate.value, estimate.low, estimate.high)
        self.metrics[name] = estimate
        self.directions[name] = direction

    def add(self, name: str, value: float, direction: str) -> None:
        """Add a single number."""
        self.metrics[name] = Estimate(value)
        self.directions[name] = direction
