"""The preference space of a run: its objectives, its users' directions, and how answers score."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from prefrun.errors import DataError
from prefrun_rps.config import Method, RewardNorm, RpsConfig
from prefrun_rps.directions import Vector, nearest, neighbourhood
from prefrun_rps.selection import Scale, scores_of, select

if TYPE_CHECKING:
    from prefrun.records.tree import PreferenceTree
    from prefrun.reward import ObjectivesReward

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Space:
    """Where users and training records lie among a reward's objectives."""

    reward: ObjectivesReward
    objectives: tuple[str, ...]
    """The axes: some of the reward's, in the space's order."""
    users: Mapping[str, Vector]
    """[d] the user's direction by record id."""
    training: tuple[Vector, ...] = ()
    """Directions of the training records; () where they have none."""
    scale: Scale | None = None
    """Of the objectives over the training records' answers, for reward_norm=dataset."""

    def candidates(self, config: RpsConfig, tree: PreferenceTree, seed: int) -> Vector:
        """Return the directions [k, d] of TREE's candidates; they follow SEED and its id only."""
        v = self.users[tree.id]
        if config.method is Method.best_of_n or v.size == 1:  # one objective has no neighbours
            return np.tile(v, (config.k, 1))
        digest = blake2b(f"{seed}\0{tree.id}".encode(), digest_size=8).digest()
        return neighbourhood(
            v,
            config.k,
            config.theta_max,
            config.scheme.name,
            np.random.default_rng(int.from_bytes(digest, "little")),
            include_target=config.include_target,
            clip=config.clip,
            toward=nearest(v, self.training)[0] if self.training else None,
        )

    def rewards(self, trees: Sequence[PreferenceTree], responses: Sequence[str]) -> Vector:
        """Return [n, d], one row per answer, in the axes' order."""
        rows = self.reward.score_objectives(trees, responses)
        places = [self.reward.objectives.index(name) for name in self.objectives]
        return np.array([[row[place] for place in places] for row in rows], dtype=np.float64)

    def selected(self, tree: PreferenceTree, rewards: Vector, norm: RewardNorm) -> int:
        """Return which of TREE's candidates with REWARDS [k, d] is best by the user's direction.

        Raises DataError where no candidate has a finite reward.
        """
        broken = int((~np.isfinite(rewards).all(axis=-1)).sum())
        if broken == len(rewards):
            raise DataError(
                f"reward {self.reward.name} gave no finite number for any of {broken} candidates",
                record=tree.id,
                remedy="look at candidates.jsonl, and repair the reward or choose another",
            )
        if broken:
            log.warning("record %s: %d candidate(s) without a finite reward", tree.id, broken)
        scale = self.scale
        if norm is RewardNorm.per_pool:
            scale = Scale.of(rewards)
            if not scale.spread.all():
                log.warning("record %s: an objective is equal in all candidates", tree.id)
        return select(scores_of(self.users[tree.id], scale.apply(rewards) if scale else rewards))

    def compared(self, tree: PreferenceTree, reward: Vector) -> float:
        """Return v . r of an answer with REWARD [d], in the scale of the data set where chosen."""
        rows = self.scale.apply(reward[None, :]) if self.scale else reward[None, :]
        return float(scores_of(self.users[tree.id], rows)[0])
