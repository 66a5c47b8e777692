"""evaluator=tree_ranking: do implied rewards order the branches of a tree as their scores do?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from prefrun.errors import DataError
from prefrun.evaluation.evaluator import Estimate, EvaluationContext, Evaluator, NotApplicable
from prefrun.evaluation.interval import mean_with_interval
from prefrun.rundir.files import write_json
from prefrun_tpo.config import TreeRankingConfig

if TYPE_CHECKING:
    from prefrun.policy.policy import BranchLogps, Policy
    from prefrun.records.tree import Branch, PreferenceTree

FILE = "tree_ranking.json"
"""In the run's evaluation folder: the trees that the report draws."""


class TreeRanking(Evaluator):
    """Kendall's tau-b between scores and implied rewards, per tree.

    The implied reward of a branch is log pi(y|x) - log pi_ref(y|x), without beta and step weights,
    so that all algorithms are measured alike. Where all rewards are equal, as before training, tau
    is 0; a tree whose scores are all equal has none.
    """

    card = """
    tree_kendall_tau: Kendall's tau-b (Kendall 1945, doi 10.1093/biomet/33.3.239) between the scores
    of a tree's branches and their implied rewards log pi(y|x) - log pi_ref(y|x), the mean over
    held-out trees: 1 is the order of the scores, 0 chance, -1 the reverse. No beta and no step
    weights, so that all algorithms are measured alike. 0 where all rewards are equal, as before
    training. The first shown_trees trees with their step rewards are drawn in the report.
    """
    directions: ClassVar = {"tree_kendall_tau": "max"}
    config: TreeRankingConfig

    def evaluate(self, context: EvaluationContext) -> dict[str, Estimate]:
        """Return `tree_kendall_tau`. Raises NotApplicable without scored branches."""
        try:
            labels = [tree.labels(context.objective) for tree in context.trees]
        except DataError as error:
            raise NotApplicable(str(error).splitlines()[0]) from error
        ratios = [
            log_ratios(own, start)
            for own, start in zip(context.logps(), context.baseline_logps(), strict=True)
        ]
        taus = [
            kendall_tau(scores, [sum(branch) for branch in branches])
            for scores, branches in zip(labels, ratios, strict=True)
        ]
        if context.folder is not None and self.config.shown_trees:
            rows = zip(context.trees, labels, ratios, taus, strict=True)
            shown = [
                describe(*row, context.policy) for row in list(rows)[: self.config.shown_trees]
            ]
            write_json(context.folder / FILE, shown)
        tau = mean_with_interval(taus, resamples=context.bootstrap, seed=context.seed)
        return {"tree_kendall_tau": tau}


def log_ratios(own: BranchLogps, start: BranchLogps) -> list[list[float]]:
    """Per branch and token, log pi - log pi_ref."""
    return [
        (after.double() - before.double()).tolist()
        for after, before in zip(own.token_logps, start.token_logps, strict=True)
    ]


def kendall_tau(scores: Sequence[float], rewards: Sequence[float]) -> float | None:
    """Kendall's tau-b; 0 where REWARDS are all equal, None where SCORES are, or are fewer than two.

    Rewards that differ by no more than rounding are equal.
    """
    from scipy.stats import kendalltau

    if len(set(scores)) < 2:
        return None
    rounded = [round(reward, 9) for reward in rewards]
    if len(set(rounded)) < 2:
        return 0.0
    return float(kendalltau(scores, rounded).statistic)


def describe(
    tree: PreferenceTree,
    scores: Sequence[float],
    ratios: Sequence[Sequence[float]],
    tau: float | None,
    policy: Policy,
) -> dict[str, Any]:
    """Return what a picture of TREE needs: per branch its steps and their rewards, and its score.

    RATIOS: per branch and token. A step's reward is the sum over its tokens; the end of the answer
    belongs to the last step.
    """
    branches = []
    for branch, score, tokens in zip(tree.branches, scores, ratios, strict=True):
        ends = step_ends(branch, len(tokens), policy)
        rewards = [sum(tokens[start:end]) for start, end in zip([0, *ends[:-1]], ends, strict=True)]
        branches.append(
            {
                "steps": [step.text for step in branch.steps],
                "step_rewards": rewards,
                "score": score,
                "reward": sum(tokens),
            }
        )
    return {"id": tree.id, "prompt": tree.prompt_text, "tau": tau, "branches": branches}


def step_ends(branch: Branch, tokens: int, policy: Policy) -> list[int]:
    """Return, per step, where its tokens end: as many as the answer up to there has by itself."""
    beginnings, text = [], ""
    for step in branch.steps[:-1]:
        text += step.text
        beginnings.append(text)
    counts = policy.count_tokens(beginnings) if beginnings else []
    return [*(min(count, tokens) for count in counts), tokens]
