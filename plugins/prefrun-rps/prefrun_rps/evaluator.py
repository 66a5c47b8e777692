"""evaluator=rps: RPS against best-of-n at the same budget, by the user's direction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from prefrun.evaluation.evaluator import Estimate, EvaluationContext, Evaluator, NotApplicable
from prefrun.evaluation.interval import mean_with_interval
from prefrun_rps.config import Method, RpsEvaluatorConfig
from prefrun_rps.directions import Vector, nearest
from prefrun_rps.policy import SelectionPolicy
from prefrun_rps.results import EVALUATION, DirectionResult, Interval, write_results
from prefrun_rps.selection import VERDICTS, verdict
from prefrun_rps.steering import weights_text

if TYPE_CHECKING:
    from prefrun.records.tree import PreferenceTree

WIN_RATE, GAIN, SCORE, BASELINE = "rps_win_rate", "rps_gain", "rps_score", "best_of_n_score"


class RpsEvaluator(Evaluator):
    """Compares v . r of the answers that both methods select, prompt by prompt."""

    card = """
    Samples k candidates per held-out prompt by RPS and as many by best-of-n, with the same seeds,
    and compares v . r of the two selected answers. A win counts 1, a tie one half. Beside all
    prompts it reports bins of the distance between the user's direction and the nearest training
    direction. For algo=rps only; with algo.method=best_of_n both are the same.
    """
    directions: ClassVar[Mapping[str, str]] = {
        WIN_RATE: "max",
        GAIN: "max",
        SCORE: "max",
        BASELINE: "none",
    }

    def __init__(self, config: RpsEvaluatorConfig) -> None:
        super().__init__(config)
        names = (f"{name}/{label}" for label in self._labels() for name in (WIN_RATE, GAIN))
        self.directions = {**self.directions, **dict.fromkeys(names, "max")}  # type: ignore[misc]

    def evaluate(self, context: EvaluationContext) -> dict[str, Estimate]:
        """Return win rate, gain and scores; write those by direction to the run's folder."""
        policy, trees = context.policy, context.trees
        if not isinstance(policy, SelectionPolicy):
            raise NotApplicable("only algo=rps selects from several answers")
        context.responses()  # the policy's own pools come first, in the host's batches
        mine, theirs = (
            policy.compared(trees, policy.with_method(method).pools(trees, context.seed))
            for method in (policy.config.method, Method.best_of_n)
        )
        wins = [VERDICTS[verdict(*pair)] for pair in zip(mine, theirs, strict=True)]
        columns = {
            WIN_RATE: wins,
            GAIN: (mine - theirs).tolist(),
            SCORE: mine.tolist(),
            BASELINE: theirs.tolist(),
        }
        metrics = {name: _mean(column, context) for name, column in columns.items()}
        distances = [self._distance(policy, tree) for tree in trees]
        metrics |= self._binned(distances, columns, context)
        if context.folder is not None:
            results = _by_direction(policy, trees, distances, columns, context)
            write_results(context.folder / EVALUATION.name, results)
        return metrics

    def _distance(self, policy: SelectionPolicy, tree: PreferenceTree) -> float | None:
        training = policy.space.training
        return nearest(policy.space.users[tree.id], training)[1] if training else None

    def _labels(self) -> list[str]:
        ends = [f"{end:g}" for end in self.config.bins]
        return [f"to_{end}" for end in ends] + [f"beyond_{ends[-1]}"]

    def _binned(
        self,
        distances: Sequence[float | None],
        columns: Mapping[str, Sequence[float]],
        context: EvaluationContext,
    ) -> dict[str, Estimate]:
        """Return win rate and gain of each bin that holds a prompt."""
        metrics = {}
        bins = [
            None if distance is None else int(np.searchsorted(self.config.bins, distance))
            for distance in distances
        ]
        for number, label in enumerate(self._labels()):
            if number in bins:
                for name in (WIN_RATE, GAIN):
                    pairs = zip(columns[name], bins, strict=True)
                    column = [value if own == number else None for value, own in pairs]
                    metrics[f"{name}/{label}"] = _mean(column, context)
        return metrics


def _mean(column: Sequence[float | None], context: EvaluationContext) -> Estimate:
    return mean_with_interval(column, resamples=context.bootstrap, seed=context.seed)


def _by_direction(
    policy: SelectionPolicy,
    trees: Sequence[PreferenceTree],
    distances: Sequence[float | None],
    columns: Mapping[str, Sequence[float]],
    context: EvaluationContext,
) -> list[DirectionResult]:
    """One result per different direction; angles in rising order, others as the records come."""
    groups: dict[tuple[float, ...], list[int]] = {}
    for place, tree in enumerate(trees):
        key = tuple(policy.space.users[tree.id].round(9).tolist())
        groups.setdefault(key, []).append(place)
    results = []
    for places in groups.values():
        v = policy.space.users[trees[places[0]].id]
        degrees = float(np.rad2deg(np.arctan2(v[1], v[0]))) if v.size == 2 else None
        part = {name: [column[i] for i in places] for name, column in columns.items()}
        results.append(
            DirectionResult(
                name=_name(policy, v, degrees),
                degrees=degrees,
                distance=distances[places[0]],
                count=len(places),
                win_rate=Interval.of(_mean(part[WIN_RATE], context)),
                gain=Interval.of(_mean(part[GAIN], context)),
                score=float(np.mean(part[SCORE])),
                baseline=float(np.mean(part[BASELINE])),
            )
        )
    return sorted(results, key=lambda result: (result.degrees is None, result.degrees or 0.0))


def _name(policy: SelectionPolicy, v: Vector, degrees: float | None) -> str:
    if degrees is None:
        return weights_text(v, policy.space.objectives)
    return f"{degrees:.6g}°"
