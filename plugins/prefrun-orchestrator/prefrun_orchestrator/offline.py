"""stage2=offline: the records' answers, relabelled by the weighted sum, for any offline loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from torch import Tensor

from prefrun_orchestrator.weights import best_and_worst

if TYPE_CHECKING:
    from prefrun.records.tree import PreferenceTree
    from prefrun_orchestrator.prompt_weights import PromptWeights


def relabelled(
    trees: Sequence[PreferenceTree],
    rewards: Sequence[Tensor],
    weights: PromptWeights,
    objective: str,
    *,
    pairs: bool,
) -> list[PreferenceTree]:
    """Return TREES whose answers' score for OBJECTIVE is s_n = sum_k w_k r_nk, without ranks.

    rewards: per tree, [n, K]. PAIRS keeps the best and the worst answer only. A record whose
    answers all get the same sum is left out, as it prefers nothing.
    """
    result = []
    for tree, own, row in zip(trees, rewards, weights(trees), strict=True):
        sums = weights.scalarise(own, row)
        chosen = best_and_worst(sums)
        if chosen is None:
            continue
        branches = [
            replace(branch, scores={**branch.scores, objective: score}, rank=None)
            for branch, score in zip(tree.branches, sums.tolist(), strict=True)
        ]
        kept = [branches[number] for number in chosen] if pairs else branches
        result.append(replace(tree, branches=tuple(kept)))
    return result
