"""How well weights choose among a record's answers: utility and regret of each weighting.

The utility of an answer is its label by the data's objective, such as a human's overall score. A
prompt's regret is that of its best answer less that of the chosen one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from prefrun_orchestrator.pareto import hypervolume
from prefrun_orchestrator.weights import Statistics, scalarise, simplex_grid

if TYPE_CHECKING:
    from prefrun.records.tree import PreferenceTree

UNIFORM, STATIC, ONLY = "uniform", "best_static", "only_"
LARGEST_GRID = 20_000
"""Weights tried for the best static one, at most; more objectives get a coarser grid."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """The answers of records that are chosen among."""

    rewards: Sequence[Tensor]
    """Per record, [n, K] as the reward models give them."""
    normalised: Sequence[Tensor]
    """The same normalised as in stage 1, which is what weights are applied to."""
    utility: Sequence[Tensor]
    """Per record, [n]."""

    @classmethod
    def of(
        cls,
        trees: Sequence[PreferenceTree],
        rewards: Sequence[Tensor],
        objective: str,
        normalise: Callable[[Tensor], Tensor],
    ) -> Candidates:
        """Take records with two or more answers. Raises DataError where one has no labels."""
        kept = [
            (own, tree.labels(objective))
            for tree, own in zip(trees, rewards, strict=True)
            if len(tree.branches) > 1
        ]
        return cls(
            [own for own, _ in kept],
            [normalise(own) for own, _ in kept],
            [torch.tensor(labels, dtype=torch.float64) for _, labels in kept],
        )


@dataclass(frozen=True, slots=True)
class Chosen:
    """What one weighting chose."""

    name: str
    weights: list[float]
    """[K] of every prompt; their mean over prompts where they differ."""
    means: list[float]
    """[K] mean rewards of the chosen answers, as the reward models give them."""
    utility: list[float]
    """Per prompt."""
    regret: list[float]
    """Per prompt."""


def choose(name: str, candidates: Candidates, weights: Tensor) -> Chosen:
    """Choose each record's answer with the highest weighted sum; WEIGHTS is [N, K]."""
    means, utility, regret = [], [], []
    rows = zip(candidates.rewards, candidates.normalised, candidates.utility, strict=True)
    for (rewards, normalised, utilities), own in zip(rows, weights, strict=True):
        best = int(scalarise(normalised, own).argmax())
        means.append(rewards[best])
        utility.append(float(utilities[best]))
        regret.append(float(utilities.max() - utilities[best]))
    return Chosen(
        name, weights.mean(0).tolist(), torch.stack(means).mean(0).tolist(), utility, regret
    )


def fixed_weights(objectives: Sequence[str], training: Candidates) -> dict[str, Tensor]:
    """Return the fixed weightings [K] that the adapter is compared with, by name.

    Uniform, each objective alone, and the one of a grid of 0.1 that chooses best in TRAINING.
    """
    count = len(objectives)
    found = {UNIFORM: torch.full((count,), 1 / count, dtype=torch.float64)}
    if training.rewards:
        found[STATIC] = best_static(training)
    alone = torch.eye(count, dtype=torch.float64)
    return found | {ONLY + name: row for name, row in zip(objectives, alone, strict=True)}


def best_static(training: Candidates) -> Tensor:
    """Return the fixed weights [K] with the highest mean utility of their choices in TRAINING."""
    objectives = training.rewards[0].shape[-1]
    parts = 10
    while parts > 1 and comb(parts + objectives - 1, parts) > LARGEST_GRID:
        parts -= 1
    grid = simplex_grid(objectives, parts)
    total = torch.zeros(len(grid), dtype=torch.float64)
    for normalised, utility in zip(training.normalised, training.utility, strict=True):
        total += utility[(grid @ normalised.T).argmax(-1)]
    return grid[int(total.argmax())]


def front_volumes(chosen: Sequence[Chosen], own: str, pool: Statistics) -> dict[str, float]:
    """Hypervolume of the fixed weightings, of the one called OWN, and of all together.

    As a part of the box between the lowest and highest rewards of POOL.
    """
    low, high = pool.min.tolist(), pool.max.tolist()
    points: Mapping[str, list[list[float]]] = {
        "fixed": [each.means for each in chosen if each.name != own],
        own: [each.means for each in chosen if each.name == own],
        "all": [each.means for each in chosen],
    }
    return {name: hypervolume(rows, low, high) for name, rows in points.items() if rows}


def classes_of(trees: Sequence[PreferenceTree], key: str | None) -> tuple[str, list[str]] | None:
    """Return the metadata key and each record's class; None where records have none.

    Without KEY the first of topic, task and source that every record has.
    """
    for name in [key] if key is not None else ["topic", "task", "source"]:
        if trees and all(name in tree.metadata for tree in trees):
            return name, [str(tree.metadata[name]) for tree in trees]
    return None


def mean_by_class(values: Tensor, classes: Sequence[str]) -> dict[str, list[float]]:
    """Return the mean of values [N, K] by class, classes in order."""
    groups: dict[str, list[int]] = {}
    for index, name in enumerate(classes):
        groups.setdefault(name, []).append(index)
    return {name: values[groups[name]].mean(0).tolist() for name in sorted(groups)}
