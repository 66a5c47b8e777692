"""The losses of a round, on answers of the round's first policy, which is also the reference."""

from __future__ import annotations

import torch

from prefrun.algorithm import LossAlgorithm, LossOutput, Term
from prefrun.policy.batch import BranchBatch
from prefrun_robust.apo_momentum.config import ApoMomentumConfig, InnerLoss
from prefrun_robust.apo_momentum.momentum import dpo_values, sppo_values


class RoundDpo(LossAlgorithm):
    """DPO on records of two answers of different score."""

    def loss(self, batch: BranchBatch) -> LossOutput:
        """Return one term, a value per record."""
        best = batch.scores.argmax(-1, keepdim=True)
        ratios = batch.log_ratios
        chosen = ratios.gather(-1, best).squeeze(-1)
        rejected = ratios.gather(-1, 1 - best).squeeze(-1)
        values = dpo_values(chosen, rejected, self.config.beta)
        margins = self.config.beta * (chosen - rejected).detach()
        return LossOutput(
            {"dpo": Term(values, batch.weights.to(values))},
            {
                "rewards/margins": margins.mean(),
                "rewards/accuracies": (margins > 0).to(margins).mean(),
            },
        )


class RoundSppo(LossAlgorithm):
    """SPPO on all answers of a record; an answer's score is its win probability."""

    min_branches = 1

    def loss(self, batch: BranchBatch) -> LossOutput:
        """Return one term, per record the sum over its answers, repeated ones as often."""
        ratios, wins = batch.log_ratios, batch.scores.to(batch.log_ratios)
        values = sppo_values(ratios, wins, self.config.eta) * batch.branch_weights.to(ratios)
        values = values.masked_fill(~batch.branch_mask, 0.0).sum(-1)
        gaps = torch.where(batch.branch_mask, wins - 0.5, 0.0)
        agreement = (ratios.detach() * gaps > 0).sum() / (gaps != 0).sum().clamp(min=1)
        return LossOutput(
            {"sppo": Term(values, batch.weights.to(values))}, {"rewards/accuracies": agreement}
        )


def round_loss(config: ApoMomentumConfig) -> LossAlgorithm:
    """Return what a round minimises."""
    return RoundDpo(config) if config.loss is InnerLoss.dpo else RoundSppo(config)
