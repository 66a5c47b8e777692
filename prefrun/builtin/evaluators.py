"""The evaluators that ship with prefrun. Each number is a mean over held-out prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from prefrun.builtin.config import RankingAccuracyConfig, TiePolicy, WinRateConfig
from prefrun.builtin.ranking import pairwise_accuracy, ranks_correctly, token_probabilities
from prefrun.errors import DataError
from prefrun.evaluation.evaluator import Estimate, EvaluationContext, Evaluator, NotApplicable
from prefrun.evaluation.interval import mean_with_interval

if TYPE_CHECKING:
    from prefrun.policy.policy import BranchLogps

EQUAL = "two of the answers are equal token by token"


class RankingAccuracy(Evaluator):
    """Are better answers likelier (Chen et al. 2024, arXiv:2405.19534)? Do implied rewards agree?

    - `ranking_accuracy`: share of prompts whose whole order of answers is that of the likelihoods
      log pi(y|x), definition 2.3 and appendix C.3. For pairs: is the chosen answer likelier. For
      long lists it is small (1 to 3 % on UltraFeedback's four answers), so there is also
    - `pairwise_ranking_accuracy`: the share of a prompt's pairs of different quality in that order.
    - `..._normalized`: the same of log pi(y|x) / |y|.
    - `implied_reward_accuracy`: the share of pairs of different quality that the DPO reward
      beta log pi(y|x)/pi_ref(y|x) orders rightly (TRL's rewards/accuracies). A pair of equal
      rewards counts one half, so the starting model has 0.5, chance; TRL counts it as wrong.
    """

    directions: ClassVar = dict.fromkeys(
        (
            "ranking_accuracy",
            "ranking_accuracy_normalized",
            "pairwise_ranking_accuracy",
            "pairwise_ranking_accuracy_normalized",
            "implied_reward_accuracy",
        ),
        "max",
    )

    def __init__(self, config: RankingAccuracyConfig) -> None:
        super().__init__(config)
        self._strict = config.tie_policy is TiePolicy.strict
        self._tolerance = config.tie_tolerance

    def evaluate(self, context: EvaluationContext) -> dict[str, Estimate]:
        """Return the five accuracies. Raises NotApplicable without ranked answers.

        A prompt whose answers are fewer than two, or one of which was truncated to no token, has
        none, nor has one with two answers that are equal token by token: no model could rank them.
        """
        logps = context.logps()
        parts = zip(_ranks(context), logps, context.baseline_logps(), strict=True)
        rows = [self._accuracies(*part) for part in parts]
        equal = sum(own.has_equal for own in logps)
        left_out = f"left out {equal} of {len(logps)} held-out records: {EQUAL}" if equal else ""
        if equal == len(logps):
            raise NotApplicable(left_out)
        means = {name: _mean([row[name] for row in rows], context) for name in self.directions}
        return {name: replace(mean, left_out=left_out) for name, mean in means.items()}

    def _accuracies(
        self, ranks: Sequence[int], own: BranchLogps, start: BranchLogps
    ) -> Mapping[str, float | None]:
        """Return one prompt's five numbers, None where it has none."""
        if len(ranks) < 2 or not all(own.lengths) or own.has_equal:
            return dict.fromkeys(self.directions)
        raw, normalized = own.sums, token_probabilities(own.sums, own.lengths)
        implied = [after - before for after, before in zip(raw, start.sums, strict=True)]
        credit = 0.0 if self._strict else 1.0
        return {
            "ranking_accuracy": self._exact(raw, ranks),
            "ranking_accuracy_normalized": self._exact(normalized, ranks),
            "pairwise_ranking_accuracy": pairwise_accuracy(raw, ranks, credit),
            "pairwise_ranking_accuracy_normalized": pairwise_accuracy(normalized, ranks, credit),
            "implied_reward_accuracy": pairwise_accuracy(implied, ranks, 0.5),
        }

    def _exact(self, scores: Sequence[float], ranks: Sequence[int]) -> float:
        return float(
            ranks_correctly(scores, ranks, strict=self._strict, tie_tolerance=self._tolerance)
        )


class WinRate(Evaluator):
    """How often the reward prefers the policy's sampled answer to the starting model's.

    A tie counts one half. Both sample with the same seed, so the starting model against itself
    has 0.5 exactly.
    """

    directions: ClassVar = {"win_rate": "max"}

    def __init__(self, config: WinRateConfig) -> None:
        super().__init__(config)
        self._margin = config.tie_margin

    def evaluate(self, context: EvaluationContext) -> dict[str, Estimate]:
        """Return `win_rate`. Raises NotApplicable without a reward."""
        pairs = zip(context.rewards(), context.baseline_rewards(), strict=True)
        gaps = [own - other for own, other in pairs]
        wins = [0.5 if abs(gap) <= self._margin else float(gap > 0) for gap in gaps]
        return {"win_rate": _mean(wins, context)}


class MeanReward(Evaluator):
    """Mean reward of the policy's sampled answers."""

    directions: ClassVar = {"reward": "max"}

    def evaluate(self, context: EvaluationContext) -> dict[str, Estimate]:
        """Return `reward`. Raises NotApplicable without a reward."""
        return {"reward": _mean(context.rewards(), context)}


class KL(Evaluator):
    """KL divergence of the policy from the starting model, in nats per answer.

    See `Policy.kl` for the estimator. Neither end is best: it says what the other numbers cost.
    """

    directions: ClassVar = {"kl": "none"}

    def evaluate(self, context: EvaluationContext) -> dict[str, Estimate]:
        """Return `kl`: 0 for the starting model itself."""
        if context.policy is context.baseline:
            values = [0.0] * len(context.trees)
        else:
            values = context.policy.kl(context.trees, context.responses(), context.baseline)
        return {"kl": _mean(values, context)}


class ResponseLength(Evaluator):
    """Mean number of tokens of the policy's sampled answers. Neither end is best."""

    directions: ClassVar = {"response_length": "none"}

    def evaluate(self, context: EvaluationContext) -> dict[str, Estimate]:
        """Return `response_length`."""
        lengths = context.policy.count_tokens(context.responses())
        return {"response_length": _mean(lengths, context)}


def _ranks(context: EvaluationContext) -> list[list[int]]:
    """Competition ranks of every tree's answers."""
    try:
        ranks = [tree.ranks(context.objective) for tree in context.trees]
    except DataError as error:
        raise NotApplicable(str(error).splitlines()[0]) from error
    if all(len(set(human)) < 2 for human in ranks):
        raise NotApplicable("no held-out record has answers of different quality")
    return ranks


def _mean(values: Sequence[float | None], context: EvaluationContext) -> Estimate:
    return mean_with_interval(values, resamples=context.bootstrap, seed=context.seed)
