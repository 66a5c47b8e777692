"""algo=lipo as the host sees it."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from torch import Tensor

from prefrun import DataError
from prefrun.algorithm import LossAlgorithm, LossOutput, Term
from prefrun.policy.batch import BranchBatch
from prefrun.records.split import DataSplit
from prefrun.records.tree import PreferenceTree
from prefrun.reward import Reward
from prefrun_lipo.config import Labels, LipoConfig, Loss, Reduction
from prefrun_lipo.labels import LABELS
from prefrun_lipo.lambda_weights import LambdaWeighting
from prefrun_lipo.loss import lipo_values, ordered_pairs

CARD = """
LiPO: Listwise Preference Optimization through Learning-to-Rank
Liu, Qin, Wu et al., arXiv 2402.01878 (NAACL 2025). Offline, listwise, needs a reference.

  s_i    = beta * (log pi(y_i|x) - log pi_ref(y_i|x)), sums over the answer's tokens
  lambda = sum over psi_i > psi_j of Delta_ij * log(1 + exp(-(s_i - s_j)))
  Delta  = |G_i - G_j| * |1/D(tau_i) - 1/D(tau_j)|,  G = 2^psi - 1,  D(r) = log2(1 + r)
  psi    label in [0, 1]   tau    rank by the current scores s (no gradient through Delta)

Other losses: pair_logistic (Delta = 1: DPO on all pairs), pair_hinge (SLiC), list_mle
(Plackett-Luce), softmax (ListNet), point_mse, point_sigmoid.
Constants and means are those of google/rax, which the paper's Algorithm 1 calls: the mean runs over
all pairs of the batch (reduction=sum_per_list: the printed formula), and lambda weights are
multiplied by the list's length (lambda_scale=paper: not).

Pitfalls: tied labels make no pair; at step 0 all scores tie, so answers are shuffled within each
list; labels above 1 make 2^psi explode, so raw ratings are turned into labels first (labels=).
The paper's claim that lambda beats pair_logistic did not reproduce in small log-linear models.
"""


class Lipo(LossAlgorithm):
    """Ranking losses on the implied rewards of a list of answers."""

    card = CARD
    golden = "prefrun_lipo.golden:compute"
    paper = "Liu et al. 2024, arXiv 2402.01878"
    kind = "offline, lists"
    formula = "sum over v_i > v_j of Delta_ij log(1 + exp(-(s_i - s_j)))"
    verdict = (
        "Partly: every loss improves on the start and point_mse is worst, but lambda is not best."
    )
    vectors = "lipo.json"
    expected_failures: ClassVar = {
        "golden_vectors/tied_scores/point_sigmoid.sum.grad_policy_logps": (
            "RAX writes the loss with relu(s) and |s|, whose derivatives at s = 0 do not add up"
        ),
        "golden_vectors/tied_scores/list_mle.sum.grad_policy_logps": (
            "RAX differentiates a running maximum, which splits its gradient among tied scores"
        ),
    }

    def __init__(self, config: LipoConfig) -> None:
        super().__init__(config)
        self.weighting = LambdaWeighting(
            gain=config.gain.name,
            discount=config.discount.name,
            log_base=config.log_base.value,
            scale=config.lambda_scale.name,
            topn=config.topn,
            normalize=config.normalize_dcg,
        )

    def check(self, data: DataSplit, reward: Reward | None) -> None:
        """Raise DataError if all scores are equal, or one cannot be the label that it shall be."""
        super().check(data, reward)
        if self.config.labels is Labels.given:
            _check_labels(data.train, data.objective)

    def prepare(self, trees: Sequence[PreferenceTree], seed: int) -> list[PreferenceTree]:
        """Shuffle each list's answers: ties would else be broken by the order of the file."""
        return [_shuffled(tree, seed) for tree in trees]

    def loss_at_start(self) -> float | None:
        """Return log 2 or 1 for a mean over pairs; other losses depend on labels or lengths."""
        if self.config.reduction is not Reduction.mean_pairs:
            return None
        return {Loss.pair_logistic: math.log(2), Loss.pair_hinge: 1.0}.get(self.config.loss)

    def loss(self, batch: BranchBatch) -> LossOutput:
        """Return one term: the chosen ranking loss of each list, weighted as the reduction says."""
        scores = self.config.beta * batch.log_ratios
        labels = LABELS[self.config.labels.name](batch.scores.to(scores), batch.branch_mask)
        values, weights = lipo_values(
            self.config.loss.name,
            scores,
            labels,
            batch.branch_mask,
            reduction=self.config.reduction.name,
            softmax_labels=self.config.softmax_labels.name,
            weighting=self.weighting,
        )
        term = Term(values, weights * batch.weights.to(weights))
        return LossOutput({"lipo": term}, _metrics(batch, scores.detach(), labels))


def _metrics(batch: BranchBatch, scores: Tensor, labels: Tensor) -> dict[str, Tensor]:
    pairs = ordered_pairs(labels, batch.branch_mask)
    margins = scores.unsqueeze(-1) - scores.unsqueeze(-2)
    count = pairs.sum().clamp(min=1)
    return {
        "rewards/margins": (margins * pairs).sum() / count,
        "rewards/accuracies": ((margins > 0) & pairs).sum() / count,
    }


def _shuffled(tree: PreferenceTree, seed: int) -> PreferenceTree:
    branches = list(tree.branches)
    random.Random(f"{seed} {tree.id}").shuffle(branches)
    return replace(tree, branches=tuple(branches))


def _check_labels(trees: Sequence[PreferenceTree], objective: str) -> None:
    for tree in trees:
        for number, label in enumerate(tree.labels(objective)):
            if not 0.0 <= label <= 1.0:
                raise DataError(
                    f"label {label} is outside [0, 1]",
                    record=tree.id,
                    field=f"branches[{number}].scores",
                    remedy="set algo.labels=bradley_terry, ranks or min_max",
                )
