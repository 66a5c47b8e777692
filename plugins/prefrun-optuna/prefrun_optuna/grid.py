"""hydra/sweeper/sampler=grid: every combination once, which a pruner may end early."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.samplers import RandomSampler

from prefrun.errors import ConfigError


class Grid(RandomSampler):
    """Marks a study whose trials are all enqueued, so that there is nothing to draw."""


def combinations(distributions: Mapping[str, BaseDistribution]) -> list[dict[str, Any]]:
    """Return all values of all keys, the last key's changing first. Raises ConfigError."""
    values = [_values(key, each) for key, each in distributions.items()]
    return [dict(zip(distributions, chosen, strict=True)) for chosen in product(*values)]


def _values(key: str, distribution: BaseDistribution) -> Sequence[Any]:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    low, high, step = distribution.low, distribution.high, distribution.step
    if step is None or distribution.log:
        raise ConfigError(
            f"a grid cannot go through every value of an interval: {key}\n"
            f"  remedy: {key}=range(FROM,TO,STEP), or hydra/sweeper/sampler=tpe"
        )
    if isinstance(distribution, IntDistribution):
        return range(low, high + 1, step)
    return [low + step * number for number in range(round((high - low) / step) + 1)]
