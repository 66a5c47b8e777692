"""Which numbers of two configurations belong together."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from prefrun.comparison.runs import RunResult

SEEDS, PROMPTS = "seeds", "prompts"


def differences(
    baseline: Sequence[RunResult], other: Sequence[RunResult], metric: str, unit: str
) -> list[float]:
    """Return OTHER minus BASELINE in METRIC, one number per UNIT; [] where nothing can be paired.

    Seeds: those that both have. Prompts: those of runs of a common seed (of the lowest of each,
    where there is none) on the same data; the mean over seeds, or, where each seed has data of its
    own, the prompts of all seeds. In order of seeds: resamples go by place, and runs may come in
    any order.
    """
    pairs = _pairs(baseline, other, metric)
    if unit == SEEDS:
        return [two.after[metric] - one.after[metric] for one, two in pairs if one.seed == two.seed]
    found = [(one.fingerprint, _by_prompt(one, two, metric)) for one, two in pairs]
    columns = [(data, values) for data, values in found if values]
    if len({data for data, _ in columns}) > 1:
        return [value for _, values in columns for value in values if value is not None]
    known: list[list[float]] = [[] for _ in columns[0][1]] if columns else []
    for _, values in columns:
        for place, value in zip(known, values, strict=True):
            place.extend([] if value is None else [value])
    return [fmean(values) for values in known if values]


def _pairs(
    baseline: Sequence[RunResult], other: Sequence[RunResult], metric: str
) -> list[tuple[RunResult, RunResult]]:
    ours = {run.seed: run for run in baseline if metric in run.after}
    theirs = {run.seed: run for run in other if metric in run.after}
    shared = [(ours[seed], theirs[seed]) for seed in sorted(ours.keys() & theirs.keys())]
    if shared or not ours or not theirs:
        return shared
    return [(ours[min(ours)], theirs[min(theirs)])]


def _by_prompt(one: RunResult, two: RunResult, metric: str) -> list[float | None]:
    ours, theirs = one.per_record.get(metric, ()), two.per_record.get(metric, ())
    if one.fingerprint is None or one.fingerprint != two.fingerprint or len(ours) != len(theirs):
        return []
    return [None if x is None or y is None else y - x for x, y in zip(ours, theirs, strict=True)]
