"""Paired tests of a configuration against the baseline, over seeds and over prompts."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from math import sqrt
from statistics import stdev
from typing import TYPE_CHECKING

from prefrun.comparison.pairing import PROMPTS, SEEDS, differences

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from prefrun.comparison.runs import RunResult

RESAMPLES = 9999
"""Of a bootstrap, and of a permutation test with more sign flips than that."""
BATCH = 500
"""Resamples at a time: bounds the memory."""
CONFIDENCE = 0.95
ROUNDING = 1e-9
"""Differences that spread less than this part of their mean are equal."""


@dataclass(frozen=True, slots=True)
class PairedTest:
    """A configuration against the baseline in one metric, paired over one kind of unit."""

    difference: float
    """Mean over pairs of this configuration minus the baseline."""
    low: float
    high: float
    """95 % interval of the difference: paired bootstrap, percentile (Efron, 1979)."""
    p: float
    """Two-sided, by flipping the signs of the pairs' differences (Fisher, 1935): all ways where
    there are at most RESAMPLES, else that many at random. 1 for equal values."""
    p_holm: float
    """P corrected by Holm's method (1979) for all configurations tested in this metric and unit."""
    effect: float | None
    """Cohen's d of paired values: the mean over the standard deviation of the differences; None
    where they do not spread."""
    unit: str
    """What is paired: 'seeds', one value per run, or 'prompts', one value per held-out prompt."""
    n: int
    """Number of pairs."""


def standard_error(values: Sequence[float]) -> float | None:
    """Return the standard error of the mean, s / sqrt(n) with s over n - 1; None if n < 2."""
    return stdev(values) / sqrt(len(values)) if len(values) > 1 else None


def test_against(
    baseline: Sequence[RunResult],
    groups: Mapping[str, Sequence[RunResult]],
    metrics: Sequence[str],
) -> dict[str, dict[str, dict[str, PairedTest]]]:
    """Return {label: {metric: {unit: test}}} of GROUPS, runs by label, against BASELINE's runs.

    The baseline's own group, and what cannot be paired, is left out. Random numbers come from a
    fixed seed, so that the same runs give the same report.
    """
    tests: dict[str, dict[str, dict[str, PairedTest]]] = {}
    for label, runs in groups.items():
        if runs is baseline:
            continue
        for unit in (SEEDS, PROMPTS):
            by_length: dict[int, dict[str, list[float]]] = {}
            for metric in metrics:
                found = differences(baseline, runs, metric, unit)
                if len(found) > 1:
                    by_length.setdefault(len(found), {})[metric] = found
            for columns in by_length.values():
                made = _tests(list(columns.values()), unit)
                for metric, test in zip(columns, made, strict=True):
                    tests.setdefault(label, {}).setdefault(metric, {})[unit] = test
    return _corrected(tests)


def _tests(columns: Sequence[Sequence[float]], unit: str) -> list[PairedTest]:
    """Return a test for each of the COLUMNS, all of the same length."""
    import numpy as np

    values = np.array(columns).T  # [n, metrics]
    means, spread = values.mean(0), values.std(0, ddof=1)
    spreads = spread > ROUNDING * np.maximum(np.abs(means), np.abs(values).max(0))
    low, high, p = means.copy(), means.copy(), np.array([_equal_p(m, len(values)) for m in means])
    if spreads.any():
        low[spreads], high[spreads], p[spreads] = _resampled(values[:, spreads])
    return [
        PairedTest(
            difference=float(means[k]),
            low=float(low[k]),
            high=float(high[k]),
            p=float(p[k]),
            p_holm=float(p[k]),
            effect=float(means[k] / spread[k]) if spreads[k] else None,
            unit=unit,
            n=len(values),
        )
        for k in range(values.shape[1])
    ]


def _equal_p(mean: float, n: int) -> float:
    """P where all N differences are equal: of the 2^n ways to flip signs, two are as extreme."""
    return 1.0 if mean == 0 else 2.0 ** (1 - n)


def _resampled(
    values: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the bootstrap's interval and the permutation test's p of each column of VALUES."""
    import numpy as np
    from scipy import stats

    interval = stats.bootstrap(
        (values,),
        np.mean,
        axis=0,
        method="percentile",
        confidence_level=CONFIDENCE,
        n_resamples=RESAMPLES,
        batch=BATCH,
        rng=np.random.default_rng(0),
    ).confidence_interval
    p = stats.permutation_test(
        (values,),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        axis=0,
        n_resamples=RESAMPLES,
        batch=BATCH,
        rng=np.random.default_rng(0),
    ).pvalue
    return interval.low, interval.high, p


def _corrected(
    tests: Mapping[str, Mapping[str, Mapping[str, PairedTest]]],
) -> dict[str, dict[str, dict[str, PairedTest]]]:
    families: dict[tuple[str, str], list[str]] = {}
    for label, by_metric in tests.items():
        for metric, by_unit in by_metric.items():
            for unit in by_unit:
                families.setdefault((metric, unit), []).append(label)
    corrected: dict[str, dict[str, dict[str, PairedTest]]] = {}
    several = any(len(labels) > 1 for labels in families.values())
    with _collecting_little() if several else nullcontext():
        for (metric, unit), labels in families.items():
            p = holm([tests[label][metric][unit].p for label in labels])
            for label, value in zip(labels, p, strict=True):
                test = replace(tests[label][metric][unit], p_holm=value)
                corrected.setdefault(label, {}).setdefault(metric, {})[unit] = test
    return corrected


def holm(p: Sequence[float]) -> list[float]:
    """Return the p-values P corrected by Holm's method."""
    if len(p) < 2:
        return list(p)
    from statsmodels.stats.multitest import multipletests

    return [float(value) for value in multipletests(p, method="holm")[1]]


@contextmanager
def _collecting_little() -> Iterator[None]:
    """Keep what is known by now out of the garbage collection that statsmodels' Holm ends with."""
    import statsmodels.stats.multitest  # noqa: F401

    is_ours = gc.get_freeze_count() == 0
    if is_ours:
        gc.freeze()
    try:
        yield
    finally:
        if is_ours:
            gc.unfreeze()
