"""evaluator=objectives: mean of each objective over sampled answers, and their weighted sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from prefrun.evaluation.evaluator import Estimate, EvaluationContext, Evaluator, NotApplicable
from prefrun.evaluation.interval import mean_with_interval
from prefrun.reward import ObjectivesReward, objectives_of
from prefrun_orchestrator.adapter import Adapter
from prefrun_orchestrator.prompt_weights import PromptWeights
from prefrun_orchestrator.scores import judged

if TYPE_CHECKING:
    from torch import Tensor

PREFIX = "objective/"


class Objectives(Evaluator):
    """The judge's numbers by objective.

    - `objective/NAME`: mean of the policy's sampled answers, as the judge gives it.
    - `weighted_reward`: mean of sum_k w_k(x) r_k, normalised as the adapter's rewards were, under
      the weights of the adapter in `evaluator.objectives.adapter` (a record's own come first).
    """

    def evaluate(self, context: EvaluationContext) -> dict[str, Estimate]:
        """Return the metrics. Raises NotApplicable where the reward judges no objectives."""
        names = objectives_of(context.reward)
        if not isinstance(context.reward, ObjectivesReward) or not names:
            raise NotApplicable(f"the reward '{context.reward.name}' judges no objectives")
        rewards = judged(context.reward, names, context.trees, context.responses())
        found = {
            PREFIX + name: self._mean(rewards[:, place].tolist(), context)
            for place, name in enumerate(names)
        }
        if self.config.adapter is not None:
            found["weighted_reward"] = self._weighted(rewards, names, context)
        return found

    def _weighted(
        self, rewards: Tensor, names: Sequence[str], context: EvaluationContext
    ) -> Estimate:
        folder = Path(self.config.adapter)
        adapter = Adapter.load(folder, names, "evaluator.objectives.adapter")
        norm = adapter.settings.reward_norm
        weights = PromptWeights(names, norm, adapter.statistics, adapter)
        sums = weights.scalarise(rewards, weights(context.trees))
        return self._mean(sums.tolist(), context)

    def _mean(self, values: Sequence[float], context: EvaluationContext) -> Estimate:
        mean = mean_with_interval(values, resamples=context.bootstrap, seed=context.seed)
        return replace(mean, direction="max")
