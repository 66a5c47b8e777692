"""algo=groco as the host sees it: GroCo's loss on implied rewards."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from prefrun import DataError
from prefrun.algorithm import LossAlgorithm, LossOutput, Term
from prefrun.policy.batch import BranchBatch
from prefrun.records.split import DataSplit
from prefrun.reward import Reward
from prefrun_listwise.group_order import group_order_loss, order_groups
from prefrun_listwise.ordering_metrics import ordering_metrics

CARD = """
GroCo: Learning by Sorting, with Group Ordering Constraints
Shvetsova, Petersen, Kukleva, Schiele, Kuehne, arXiv 2301.02009 (ICCV 2023). Offline, groups of
answers, needs a reference. On embeddings: algo=groco_views.

  x      = beta * (log pi - log pi_ref);  good answers: score >= threshold, or the list's best score
  order  = [the topk_neg hardest bad answers ascending, good answers ascending], n items
  layer  : neighbours a, b (l mod 2 first):  alpha = atan(steepness (b - a)) / pi + 1/2
           low = alpha a + (1 - alpha) b,    high = (1 - alpha) a + alpha b
  P_i,r  = probability that item i ends at rank r after n layers
  loss   = -mean_i log sum_{r in ranks of i's group} P_i,r

The order inside a group does not matter. One good and one bad answer: -log(atan(steepness
(x_g - x_b)) / pi + 1/2). The preference variant is prefrun's; the paper sorts cosines of views.

Pitfalls: the loss has a floor that depends on n and on the number of good answers, so losses of
different lists cannot be compared. Only beta * steepness matters. A large steepness makes the
gradient vanish. Lists whose answers are all good or all bad add nothing. At the first step all x
are 0 and ties follow the order in the record.
"""


class Groco(LossAlgorithm):
    """All good answers of a list above all bad ones."""

    card = CARD
    golden = "prefrun_listwise.golden:groco"
    vectors = "groco.json"
    paper: ClassVar[str] = "Shvetsova et al. 2023, arXiv 2301.02009"
    kind: ClassVar[str] = "offline, groups in lists"
    formula: ClassVar[str] = (
        "-mean_i log P(i ends among the ranks of its group), P by a sort network"
    )
    verdict: ClassVar[str] = ""

    def check(self, data: DataSplit, reward: Reward | None) -> None:
        """Raise DataError where no training record has both a good and a bad answer."""
        super().check(data, reward)
        threshold = self.config.threshold
        if threshold is None:
            return
        labels = [tree.labels(data.objective) for tree in data.train]
        if not any(min(row) < threshold <= max(row) for row in labels if row):
            scores = [score for row in labels for score in row]
            raise DataError(
                f"algo.threshold={threshold} leaves no record with good and bad answers: "
                f"scores go from {min(scores):g} to {max(scores):g}",
                field=f"scores.{data.objective}",
                remedy="choose a threshold in between, or algo.threshold=null",
            )

    def loss(self, batch: BranchBatch) -> LossOutput:
        """Return one term: the group ordering loss of each list that has both groups."""
        mask = batch.branch_mask
        good = good_answers(batch.scores, mask, self.config.threshold)
        rewards = self.config.beta * batch.log_ratios
        groups = order_groups(rewards, good, mask, self.config.topk_neg)
        values = group_order_loss(groups, self.config.steepness)
        usable = (groups.bad > 0) & (groups.bad < groups.sizes)
        term = Term(values, usable * batch.weights.to(values))
        better = good.unsqueeze(-1) & (mask & ~good).unsqueeze(-2)
        return LossOutput({"groco": term}, ordering_metrics(rewards, better))


def good_answers(scores: Tensor, mask: Tensor, threshold: float | None) -> Tensor:
    """Which answers are good: scores [B, K] at least the threshold, or equal to the list's best."""
    if threshold is not None:
        return (scores >= threshold) & mask
    best = scores.masked_fill(~mask, float("-inf")).amax(-1, keepdim=True)
    return torch.eq(scores, best) & mask
