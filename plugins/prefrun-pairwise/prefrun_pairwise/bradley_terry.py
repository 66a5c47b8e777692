"""algo=bradley_terry: the loss of reward models."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from prefrun.algorithm import LossAlgorithm, LossOutput, Term
from prefrun.policy.batch import BranchBatch
from prefrun_pairwise.algo import choose_pairs
from prefrun_pairwise.pairs import reward_means
from prefrun_pairwise.policy_configs import BradleyTerryConfig

CARD = """
The Bradley-Terry loss of reward models. Bradley and Terry 1952; of K ranked answers as InstructGPT
(Ouyang et al., arXiv 2203.02155, eq. 1). Offline, pairs and lists, no reference.

  loss = -log sigmoid(s(y_c) - s(y_r) - margin_scale m) + center (s(y_c) + s(y_r))^2
  s      the model's number of an answer: of model=reward_head its score
  m      score of y_c less that of y_r in the data: margin_scale=1 is Llama 2's margin
         (Touvron et al., arXiv 2307.09288, eq. 2)
  center keeps scores near 0 (Eisenstein et al., arXiv 2312.09244); TRL's
         center_rewards_coefficient

All pairs of a record count together as one record, however many they are: their mean, as in
InstructGPT. On a language model s is log pi(y|x), summed over tokens: SLiC's and CPO's comparison
without their likelihood term; that is not a reward model.
Pitfalls: scores are determined up to a constant only; one epoch is usual, more overfit.
"""


class BradleyTerry(LossAlgorithm):
    """Scores of better answers above those of worse ones."""

    card = CARD
    paper: ClassVar[str] = "Bradley and Terry 1952; Ouyang et al. 2022, arXiv 2203.02155"
    kind: ClassVar[str] = "offline, pairs and lists, reward models"
    formula: ClassVar[str] = "-log sigmoid(s(y_c) - s(y_r))"
    verdict: ClassVar[str] = (
        "Learns on real pairs: 0.605 (0.552 to 0.660) of 306 held-out harmless pairs of hh-rlhf, "
        "with a model of 1 M parameters that had never seen such text; one seed."
    )
    needs = frozenset()

    def __init__(self, config: BradleyTerryConfig) -> None:
        super().__init__(config)

    def loss(self, batch: BranchBatch) -> LossOutput:
        """Return the term `pairs`, one value per pair; the pairs of a record weigh 1 together."""
        config = self.config
        trees, chosen, rejected = choose_pairs(batch.scores, batch.branch_mask, config.pairs)
        scores = batch.policy_logps
        better, worse = scores[trees, chosen], scores[trees, rejected]
        gaps = batch.scores[trees, chosen] - batch.scores[trees, rejected]
        values = bradley_terry_values(better, worse, config.margin_scale * gaps, config.center)
        count = torch.bincount(trees, minlength=len(scores)).clamp(min=1)
        weights = (batch.weights / count)[trees].to(values)
        metrics = reward_means(better.detach(), worse.detach()) if len(trees) else {}
        return LossOutput({"pairs": Term(values, weights)}, metrics)

    def loss_at_start(self) -> float | None:
        """Return None: a head may start anywhere."""
        return None


def bradley_terry_values(better: Tensor, worse: Tensor, margin: Tensor, center: float) -> Tensor:
    """-log sigmoid(better - worse - margin) + center (better + worse)^2: all [P]."""
    values: Tensor = -logsigmoid(better - worse - margin)
    return values + center * (better + worse) ** 2 if center else values
