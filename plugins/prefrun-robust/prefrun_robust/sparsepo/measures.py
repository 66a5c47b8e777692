"""What held-out masks are like: how sparse, and whether they find the tokens that decide."""

from __future__ import annotations

from collections.abc import Sequence

from scipy.stats import rankdata

from prefrun.evaluation.evaluator import Estimate


def share_of_zeros(masks: Sequence[Sequence[float]]) -> Estimate:
    """Part of all tokens that weigh exactly nothing; also by record. MASKS: one per record."""
    everything = [weight for mask in masks for weight in mask]
    return Estimate(
        sum(weight == 0 for weight in everything) / len(everything),
        per_record=[sum(weight == 0 for weight in mask) / max(1, len(mask)) for mask in masks],
    )


def area_under_curve(weights: Sequence[float], is_decisive: Sequence[bool]) -> float | None:
    """Probability that a deciding token weighs more than another one; a tie counts one half.

    None where all tokens are of one kind. Mann and Whitney (1947).
    """
    positives = sum(is_decisive)
    negatives = len(is_decisive) - positives
    if not positives or not negatives:
        return None
    ranks = rankdata(weights)
    total = sum(float(rank) for rank, wanted in zip(ranks, is_decisive, strict=True) if wanted)
    return (total - positives * (positives + 1) / 2) / (positives * negatives)
