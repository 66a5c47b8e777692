"""algo=rps: makes the policy that selects, after all that can be wrong was looked at."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from prefrun.algorithm import DecodingAlgorithm
from prefrun.errors import ConfigError
from prefrun.policy.tokenise import Tokeniser
from prefrun_rps.config import Method, RewardNorm, Scheme
from prefrun_rps.directions import Vector
from prefrun_rps.policy import SelectionPolicy
from prefrun_rps.pools import PoolFile
from prefrun_rps.preference import (
    configured_direction,
    direction_of,
    has_preference,
    judged_objectives,
)
from prefrun_rps.selection import Scale
from prefrun_rps.shared_prompts import CandidateSampler
from prefrun_rps.space import Space

if TYPE_CHECKING:
    from prefrun.policy.policy import Policy
    from prefrun.records.split import DataSplit
    from prefrun.records.tree import PreferenceTree
    from prefrun.reward import ObjectivesReward, Reward
    from prefrun.training.services import Services

log = logging.getLogger(__name__)

POOLS = "rps/candidates.jsonl"
"""Place in the run directory."""


class Rps(DecodingAlgorithm):
    """Robust Preference Selection, and best-of-n."""

    paper = "Mao et al. 2025, arXiv 2510.20498"
    kind = "decoding time, answers scored on several objectives"
    formula = "argmax_i v . r(x, y_i), y_i answers v_i, angle(v_i, v) <= theta_max"
    verdict = (
        "Not with the small model: win rate over best-of-n 0.531 +- 0.010 (p = 0.09), no gain with "
        "distance."
    )
    card = """
    Robust Preference Selection (Mao, Shi, Gu, Wei, arXiv 2510.20498). No training.
    A user's preference is a direction v over objectives, |v| = 1; with two, v = (cos th, sin th).

      1. directions  v_1 ... v_k with angle(v_i, v) <= theta_max
           uniform: 2-D th_i ~ U[th - theta_max, th + theta_max]; d > 2: v_i = cos(phi) v +
           sin(phi) u, phi ~ U[0, theta_max], u = z - (z . v) v normalised, z ~ N(0, I)
      2. candidates  one answer y_i per v_i, steered through the prompt
      3. selection   y* = argmax_i v . r(x, y_i), by the user's own v; ties: the lowest i

    best_of_n: all k candidates from v itself, same sampler, seeds and selection: the baseline at
    equal budget, and what theta_max=0 gives.
    Steering prompt (DPA): "... maximize weighted rating = helpfulness*H + verbosity*V", the weights
    being 100 v, rounded. Directions less than half a degree apart become the same prompt.
    Pitfalls: objectives of different scales (reward_norm); in-distribution directions, where
    neighbours are no better; per_pool with one candidate, which makes all scores 0.
    Not verified: how the paper draws within the cone, and its reward model. Temperature and top_p
    are not the paper's, which gives none.
    """

    def check(self, data: DataSplit, reward: Reward | None) -> None:
        """Look at all directions. Raises ConfigError or DataError."""
        space = self._space(data, reward)
        dimensions = len(space.objectives)
        config = self.config
        if dimensions == 1 and config.method is Method.rps:
            log.warning("one objective has no neighbouring directions: this is best-of-n")
        if config.scheme is Scheme.grid and dimensions > 2:
            raise ConfigError(
                f"algo.scheme=grid is for 2 objectives, and there are {dimensions}: "
                f"{', '.join(space.objectives)}\n  remedy: algo.scheme=uniform"
            )
        if config.scheme is Scheme.toward_train and not space.training:
            raise ConfigError(
                "algo.scheme=toward_train: no training record has a preference in its metadata\n"
                "  remedy: algo.scheme=uniform"
            )
        if config.clip:
            for name, v in space.users.items():
                if v.max() <= 0:
                    raise ConfigError(
                        f"algo.clip=true leaves nothing of the direction of record {name}: "
                        "no objective has a positive weight"
                    )

    def _space(self, data: DataSplit, reward: Reward | None) -> Space:
        objectives = judged_objectives(reward, self.config.objectives)
        one = configured_direction(self.config, objectives)
        users = {
            tree.id: direction_of(tree, objectives) if one is None else one for tree in data.test
        }
        training = _different(
            [direction_of(tree, objectives) for tree in data.train if has_preference(tree)]
        )
        judge: ObjectivesReward = reward  # type: ignore[assignment]
        space = Space(judge, objectives, users, training)
        if self.config.reward_norm is not RewardNorm.dataset:
            return space
        return Space(judge, objectives, users, training, _scale(space, data.train))

    def wrap(self, services: Services) -> Policy:
        """Return the policy that samples and selects; its candidates stream to the run's folder."""
        config, trainer = services.config, services.config.trainer
        loaded = services.loaded
        tokeniser = Tokeniser(
            loaded.tokenizer, trainer.max_length, trainer.max_prompt_length, trainer.truncation
        )
        return SelectionPolicy(
            config=self.config,
            space=self._space(services.data, services.reward),
            sampler=CandidateSampler(
                loaded.model, loaded.tokenizer.pad_token_id, tokeniser.stop_ids
            ),
            tokeniser=tokeniser,
            batch_size=config.evaluation.batch_size,
            max_new_tokens=self.config.max_new_tokens or config.evaluation.max_new_tokens,
            file=PoolFile(services.run.output_dir / POOLS),
        )


def _different(directions: Sequence[Vector]) -> tuple[Vector, ...]:
    if not directions:
        return ()
    return tuple(np.unique(np.stack(directions).round(9), axis=0))


def _scale(space: Space, trees: Sequence[PreferenceTree]) -> Scale:
    """Return mean and spread of the objectives over the training records' answers.

    Raises ConfigError where there are too few.
    """
    asked = [(tree, branch.text) for tree in trees for branch in tree.branches]
    rewards = space.rewards([tree for tree, _ in asked], [text for _, text in asked])
    finite = rewards[np.isfinite(rewards).all(axis=-1)] if len(asked) else rewards
    if len(finite) < 2:
        raise ConfigError(
            f"algo.reward_norm=dataset needs training answers with finite rewards: there are "
            f"{len(finite)}\n  remedy: algo.reward_norm=per_pool or none"
        )
    return Scale.of(finite)
