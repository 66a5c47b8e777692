"""The rewards of the records' answers, one number per objective, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from prefrun.errors import ConfigError, DataError, closest
from prefrun.reward import ObjectivesReward, Reward, objectives_of

if TYPE_CHECKING:
    from prefrun.records.split import DataSplit
    from prefrun.records.tree import PreferenceTree

WEIGHTS = "weights"
"""Metadata key of a record's own weights: a list in the objectives' order, or by name."""


def choose_objectives(
    wanted: Sequence[str], data: DataSplit, reward: Reward | None
) -> tuple[str, ...]:
    """Return WANTED, else the reward's objectives, else the scores that every answer has.

    The data's overall objective is none of them. Raises ConfigError where there are none.
    """
    if wanted:
        return tuple(wanted)
    if objectives_of(reward):
        return objectives_of(reward)
    shared = set.intersection(
        *(set(branch.scores) for tree in data.train for branch in tree.branches)
    )
    if not shared - {data.objective}:
        raise ConfigError(
            f"algo=orchestrator needs several objectives, and the answers of {data.name} share no "
            f"score but '{data.objective}'\n  remedy: set algo.objectives, or a reward that judges "
            "objectives (reward=several)"
        )
    return tuple(sorted(shared - {data.objective}))


def check_scores(trees: Sequence[PreferenceTree], objectives: Sequence[str]) -> None:
    """Raise DataError, naming record and field, where an answer lacks one of OBJECTIVES."""
    for tree in trees:
        if not tree.branches:
            raise DataError("no answer to learn from", record=tree.id, field="branches")
        for number, branch in enumerate(tree.branches):
            for name in objectives:
                if name not in branch.scores:
                    raise DataError(
                        f"no score for objective '{name}'; there are {sorted(branch.scores)}."
                        f"{closest(name, sorted(branch.scores))}",
                        record=tree.id,
                        field=f"branches[{number}].scores.{name}",
                        remedy="give the score, remove the record, set algo.objectives to those "
                        "that all answers have, or algo.rewards=reward",
                    )


def judging(reward: Reward | None, objectives: Sequence[str], key: str) -> ObjectivesReward:
    """Return REWARD as one that judges OBJECTIVES. Raises ConfigError, naming KEY, if it is not."""
    known = objectives_of(reward)
    missing = [name for name in objectives if name not in known]
    if not isinstance(reward, ObjectivesReward) or missing:
        has = f"judges {', '.join(known)}" if known else "gives no score by objective"
        name = "no reward is chosen" if reward is None else f"the reward '{reward.name}' {has}"
        raise ConfigError(
            f"{key} needs a reward for {', '.join(missing or objectives)}, and {name}\n"
            "  remedy: reward=several with a part per objective, or data whose judge has them"
        )
    return reward


def judged(
    reward: ObjectivesReward,
    objectives: Sequence[str],
    trees: Sequence[PreferenceTree],
    responses: Sequence[str],
) -> Tensor:
    """Return the scores [N, K] of RESPONSES. Raises DataError where one is not finite."""
    places = [reward.objectives.index(name) for name in objectives]
    rows = reward.score_objectives(trees, responses)
    for tree, row in zip(trees, rows, strict=True):
        for place in places:
            if not math.isfinite(row[place]):
                raise DataError(
                    f"the reward '{reward.name}' gives {row[place]} for an answer",
                    record=tree.id,
                    field=reward.objectives[place],
                    remedy="a reward must be finite: repair it or leave the objective out",
                )
    return torch.tensor([[row[place] for place in places] for row in rows], dtype=torch.float64)


def rewards_of(
    trees: Sequence[PreferenceTree],
    objectives: Sequence[str],
    reward: ObjectivesReward | None = None,
) -> list[Tensor]:
    """Return per tree the rewards [N, K] of its answers, from REWARD or else from its scores."""
    if reward is None:
        return [
            torch.tensor(
                [[float(branch.scores[name]) for name in objectives] for branch in tree.branches],
                dtype=torch.float64,
            )
            for tree in trees
        ]
    pairs = [(tree, branch.text) for tree in trees for branch in tree.branches]
    flat = judged(reward, objectives, [tree for tree, _ in pairs], [text for _, text in pairs])
    return list(torch.split(flat, [len(tree.branches) for tree in trees]))


def own_weights(tree: PreferenceTree, objectives: Sequence[str]) -> Tensor | None:
    """Return the record's own weights [K], summing to 1; None where it has none.

    Raises DataError where they are not one finite number of at least 0 per objective, or all 0.
    """
    given = tree.metadata.get(WEIGHTS)
    if given is None:
        return None
    try:
        values = [given[name] for name in objectives] if isinstance(given, Mapping) else [*given]
        numbers = [float(value) for value in values]
    except (TypeError, ValueError, KeyError):
        numbers = []
    usable = len(numbers) == len(objectives) and all(0 <= number < math.inf for number in numbers)
    if not usable or not any(numbers):
        raise DataError(
            f"{given!r} is no weight vector of {', '.join(objectives)}",
            record=tree.id,
            field=f"metadata.{WEIGHTS}",
            remedy="give one number of at least 0 per objective, not all 0",
        )
    weights = torch.tensor(numbers, dtype=torch.float64)
    return weights / weights.sum()
