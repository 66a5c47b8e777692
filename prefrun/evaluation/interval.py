"""The mean over prompts with a bootstrap confidence interval."""

from __future__ import annotations

from collections.abc import Sequence

from prefrun.evaluation.evaluator import Estimate, NotApplicable

CONFIDENCE = 0.95


def mean_with_interval(
    per_record: Sequence[float | None], *, resamples: int, seed: int
) -> Estimate:
    """Mean of PER_RECORD, None left out, and the percentile bootstrap interval around it.

    Prompts are drawn with replacement (Efron and Tibshirani 1993, section 13.3), deterministically
    given SEED. Raises NotApplicable where there is no number.
    """
    import numpy as np

    values = np.array([value for value in per_record if value is not None], dtype=np.float64)
    if not values.size:
        raise NotApplicable("no held-out record can be measured")
    random = np.random.default_rng(seed)
    means = [
        values[random.integers(values.size, size=values.size)].mean() for _ in range(resamples)
    ]
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(means, [tail, 100 - tail])
    return Estimate(float(values.mean()), float(low), float(high), tuple(per_record))
