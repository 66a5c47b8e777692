"""evaluator=answer_accuracy: how many answers a verifier calls right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from prefrun.evaluation.evaluator import Estimate, EvaluationContext, Evaluator, NotApplicable
from prefrun.evaluation.interval import mean_with_interval
from prefrun.reward import ObjectivesReward
from prefrun_tpo.config import AnswerAccuracyConfig
from prefrun_tpo.verdicts import ANSWER

if TYPE_CHECKING:
    from prefrun.records.tree import PreferenceTree


class AnswerAccuracy(Evaluator):
    """The share of held-out prompts whose answer is right.

    - `answer_accuracy`: of greedy answers.
    - `answer_accuracy_sampled`: of one answer each at evaluation.temperature.
    """

    card = """
    The share of held-out prompts whose answer is right: answer_accuracy of the greedy answer,
    answer_accuracy_sampled of one sampled at evaluation.temperature. Right is what the run's reward
    says of the objective 'answer' (1 or 0): reward=data of data=chain_arithmetic and
    data=gsm8k_trees, reward=chain_arithmetic and reward=solution have it.
    """
    directions: ClassVar = dict.fromkeys(("answer_accuracy", "answer_accuracy_sampled"), "max")
    config: AnswerAccuracyConfig

    def evaluate(self, context: EvaluationContext) -> dict[str, Estimate]:
        """Return both shares. Raises NotApplicable where the reward does not judge the answer."""
        reward = context.reward
        if not isinstance(reward, ObjectivesReward) or ANSWER not in reward.objectives:
            raise NotApplicable(
                f"reward {reward.name} has no objective '{ANSWER}': set reward=solution or the like"
            )
        column = reward.objectives.index(ANSWER)
        trees: Sequence[PreferenceTree] = context.trees
        greedy = context.policy.generate(trees, self.config.max_new_tokens, 0.0, context.seed)
        answers = {"answer_accuracy": greedy, "answer_accuracy_sampled": context.responses()}
        return {
            name: mean_with_interval(
                [row[column] for row in reward.score_objectives(trees, texts)],
                resamples=context.bootstrap,
                seed=context.seed,
            )
            for name, texts in answers.items()
        }
