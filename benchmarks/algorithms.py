"""The losses of the benchmark: algo=dpo on lists, DPO on the step pairs of a tree."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from shapes import Shape
from torch import Tensor
from torch.nn.functional import logsigmoid, one_hot

from prefrun.algorithm import LossAlgorithm, LossOutput, Term
from prefrun.policy.batch import BranchBatch
from prefrun_pairwise.algo import Dpo
from prefrun_pairwise.config import DpoConfig, PairChoice

BETA = 0.1


def algorithm_of(shape: Shape) -> LossAlgorithm:
    """Return what trains on whole examples of SHAPE; its loss is TRL's on `data.pairs_of`."""
    if shape.is_tree:
        return StepPairs(StepPairsConfig(shape.depth, shape.branching))
    choice = PairChoice.all if shape.pairs == "all" else PairChoice.best_vs_rest
    return Dpo(DpoConfig(beta=BETA, pairs=choice))


def pair_algorithm() -> LossAlgorithm:
    """Return what trains on examples of two answers."""
    return Dpo(DpoConfig(beta=BETA))


@dataclass(frozen=True, slots=True)
class StepPairsConfig:
    """A full tree, its branches in depth-first order."""

    depth: int
    branching: int
    beta: float = BETA


class StepPairs(LossAlgorithm):
    """At each inner node, DPO of the best next step against each other one.

    A step's log-ratio is summed over its tokens, read from the first branch that goes through it:
    all branches that share a step give it the same log-probs.
    """

    card = "DPO on the steps of a tree. For the benchmark only."

    def loss(self, batch: BranchBatch) -> LossOutput:
        """Return the mean over all step pairs of the batch."""
        ratios = step_log_ratios(batch, self.config.depth)
        values = [
            self._level(ratios, batch.step_scores, level) for level in range(self.config.depth)
        ]
        losses = torch.cat(values)
        return LossOutput({"step_pairs": Term(losses, torch.ones_like(losses))})

    def _level(self, ratios: Tensor, scores: Tensor, level: int) -> Tensor:
        ratios, scores = (self._children(values[..., level], level) for values in (ratios, scores))
        best = scores.argmax(-1)
        others = ~one_hot(best, self.config.branching).bool()
        margins = ratios.gather(-1, best.unsqueeze(-1)) - ratios
        return -logsigmoid(self.config.beta * margins[others])

    def _children(self, values: Tensor, level: int) -> Tensor:
        """[B, K] of one level -> [nodes, branching], the first branch of each child."""
        below = self.config.branching ** (self.config.depth - level - 1)
        return values.reshape(-1, self.config.branching, below)[..., 0]


def step_log_ratios(batch: BranchBatch, steps: int) -> Tensor:
    """[B, K, S] log pi - log pi_ref of each branch's steps, summed over tokens."""
    assert batch.reference_token_logps is not None
    ratios = (batch.policy_token_logps - batch.reference_token_logps) * batch.token_mask
    sums = ratios.new_zeros(*ratios.shape[:2], steps)
    return sums.scatter_add(-1, batch.step_index, ratios)
