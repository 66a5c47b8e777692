"""Means over seeds and paired tests between two configurations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev

from prefrun.comparison.runs import RunResult

LEAST_PAIRS = 2
ROUNDING = 1e-9
"""Differences that spread less than this part of their mean are equal."""


@dataclass(frozen=True, slots=True)
class PairedTest:
    """Two-sided paired t-test of a configuration against the first one (Student, 1908)."""

    difference: float
    """Mean over pairs of this configuration minus the first."""
    p: float
    """Probability of a difference at least as large if there were none; 1 for equal values."""
    unit: str
    """What is paired: 'seeds' (one value per run) or 'prompts' (one run each)."""
    n: int
    """Number of pairs."""


def standard_error(values: Sequence[float]) -> float | None:
    """Return the standard error of the mean, s / sqrt(n) with s over n - 1; None if n < 2."""
    return stdev(values) / sqrt(len(values)) if len(values) > 1 else None


def paired_test(
    first: Sequence[RunResult], other: Sequence[RunResult], metric: str
) -> PairedTest | None:
    """Test METRIC of the runs OTHER against the runs FIRST; None where nothing can be paired.

    Paired over common seeds where there are at least two, else over the held-out prompts of one run
    each (of a common seed if there is one), if both were measured on the same data.
    """
    ours = {run.seed: run for run in first if metric in run.after}
    theirs = {run.seed: run for run in other if metric in run.after}
    seeds = [seed for seed in ours if seed in theirs]
    if len(seeds) >= LEAST_PAIRS:
        pairs = [(ours[seed].after[metric], theirs[seed].after[metric]) for seed in seeds]
        return _paired_t(pairs, "seeds")
    if not ours or not theirs:
        return None
    one, two = (
        (ours[seeds[0]], theirs[seeds[0]])
        if seeds
        else (next(iter(ours.values())), next(iter(theirs.values())))
    )
    pairs = _prompt_pairs(one, two, metric)
    return _paired_t(pairs, "prompts") if len(pairs) >= LEAST_PAIRS else None


def _prompt_pairs(one: RunResult, two: RunResult, metric: str) -> list[tuple[float, float]]:
    ours, theirs = one.per_record.get(metric, ()), two.per_record.get(metric, ())
    if one.fingerprint is None or one.fingerprint != two.fingerprint or len(ours) != len(theirs):
        return []
    return [(x, y) for x, y in zip(ours, theirs, strict=True) if x is not None and y is not None]


def _sign_flip_p(mean: float, n: int) -> float:
    """Return p where all N differences are equal, so that t is 0/0 or infinite.

    Of the 2^n ways to flip their signs (Fisher's randomisation test), two are as extreme.
    """
    return 1.0 if mean == 0 else 2.0 ** (1 - n)


def _paired_t(pairs: Sequence[tuple[float, float]], unit: str) -> PairedTest:
    differences = [theirs - ours for ours, theirs in pairs]
    mean = fmean(differences)
    error = standard_error(differences) or 0.0
    if error <= ROUNDING * abs(mean):
        return PairedTest(mean, _sign_flip_p(mean, len(pairs)), unit, len(pairs))
    from scipy.special import stdtr  # what scipy.stats.ttest_rel uses, and faster to import

    p = 2 * float(stdtr(len(pairs) - 1, -abs(mean / error)))
    return PairedTest(mean, p, unit, len(pairs))
