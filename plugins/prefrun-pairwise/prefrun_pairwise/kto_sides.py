"""Which answers of the data KTO takes for desirable, looked at before a model is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prefrun import DataError
from prefrun_pairwise.policy_configs import KtoConfig

BETWEEN_LABELS = 0.5
"""Between the scores 0 and 1 of the labels false and true."""

Labels = Mapping[str, Sequence[float]]
"""By record, the score of each of its answers."""


def suitable_threshold(labels: Labels) -> float | None:
    """Return the threshold for scores of 0 and 1; None = the mean of each record's answers.

    Raises DataError for a single answer with another score, which could not be told by either.
    """
    scores = _scores(labels)
    if set(scores) <= {0.0, 1.0}:
        return BETWEEN_LABELS
    for record, row in labels.items():
        if len(row) == 1:
            raise DataError(
                f"a single answer with the score {row[0]:g} is neither desirable nor undesirable "
                f"by itself; scores go from {min(scores):g} to {max(scores):g}",
                record=record,
                remedy="set algo.threshold: answers that score above it are desirable",
            )
    return None


def check_sides(config: KtoConfig, labels: Labels, threshold: float | None) -> None:
    """Raise DataError if no answer is of a kind, desirable or undesirable, that has a weight."""
    scores = _scores(labels)
    if not scores:
        return
    above = below = 0
    for row in labels.values():
        middle = threshold if threshold is not None else sum(row) / max(1, len(row))
        if threshold is not None or len(set(row)) > 1:
            above += sum(score > middle for score in row)
            below += sum(score < middle for score in row)
    kinds = {
        "desirable": (above, config.desirable_weight),
        "undesirable": (below, config.undesirable_weight),
    }
    for kind, (count, weight) in kinds.items():
        if weight and not count:
            rule = "the mean of its record's" if threshold is None else f"{threshold:g}"
            raise DataError(
                f"none of {len(scores)} training answers is {kind}: they score from "
                f"{min(scores):g} to {max(scores):g}, and an answer is desirable that scores above "
                f"{rule}, undesirable below",
                field="scores",
                remedy=f"set algo.threshold in between, or algo.{kind}_weight=0 to train on the "
                "other kind alone",
            )


def _scores(labels: Labels) -> list[float]:
    return [score for row in labels.values() for score in row]
