"""Stage 1's targets: from the rewards of each record's answers, with the warnings they deserve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from prefrun_orchestrator.weights import (
    SMALLEST_SPREAD,
    Statistics,
    entropy,
    log_target_weights,
    normalise,
)

if TYPE_CHECKING:
    from prefrun.records.tree import PreferenceTree

FACTOR = 5.0
"""Spreads of the objectives further apart than this deserve a warning."""
ALMOST_ONE_HOT = 0.1
"""Mean entropy of the targets, as a part of the highest, below which they are almost one-hot."""


def log_targets(
    trees: Sequence[PreferenceTree],
    rewards: Sequence[Tensor],
    objective: str,
    statistics: Statistics,
    norm: str,
    temperature: float,
    *,
    less_rejected: bool,
) -> Tensor:
    """Return log w* [N, K]: of the preferred answer, the first best by the OBJECTIVE's labels.

    rewards: per tree, [n, K]. LESS_REJECTED: the worst answer's rewards are taken
    off. Raises DataError where a record has neither scores nor ranks.
    """
    rows = []
    for tree, own in zip(trees, rewards, strict=True):
        labels = tree.labels(objective) if len(tree.branches) > 1 else [0.0]
        row = normalise(own[labels.index(max(labels))], norm, statistics)
        if less_rejected:
            row = row - normalise(own[labels.index(min(labels))], norm, statistics)
        rows.append(row)
    return log_target_weights(torch.stack(rows), temperature)


def relative_entropy(log_weights: Tensor) -> float:
    """Mean entropy of weights [N, K] divided by log K; 1 for one objective."""
    if log_weights.shape[-1] == 1:
        return 1.0
    return float(entropy(log_weights).mean()) / math.log(log_weights.shape[-1])


def warnings_about(
    statistics: Statistics, log_target: Tensor, objectives: Sequence[str], norm: str
) -> list[str]:
    """Return what the user should know of the targets [N, K], one sentence each."""
    found = []
    spreads = statistics.std.tolist()
    constant = [
        name for name, std in zip(objectives, spreads, strict=True) if std < SMALLEST_SPREAD
    ]
    if constant:
        found.append(f"constant over all training answers: {', '.join(constant)}")
    ranged = [std for std in spreads if std >= SMALLEST_SPREAD]
    if norm == "none" and ranged and max(ranged) > FACTOR * min(ranged):
        widest = objectives[spreads.index(max(spreads))]
        found.append(
            f"the objectives' standard deviations differ {max(ranged) / min(ranged):.0f} times, so "
            f"'{widest}' decides nearly alone; set algo.reward_norm=zscore"
        )
    share = relative_entropy(log_target)
    if share < ALMOST_ONE_HOT:
        found.append(
            f"the targets are almost one-hot (mean entropy {share:.3f} of log K); a higher "
            "algo.temperature softens them"
        )
    return found
