"""algo=ranklist as the host sees it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from prefrun.algorithm import LossAlgorithm, LossOutput, Term, check_some_differ
from prefrun.policy.batch import BranchBatch
from prefrun.records.split import DataSplit
from prefrun.records.tree import PreferenceTree
from prefrun.reward import Reward
from prefrun_listwise.config import RankListConfig, Reduction, Score
from prefrun_listwise.ordering_metrics import better_pairs, ordering_metrics
from prefrun_listwise.skips import kendall_tau, skip_losses

CARD = """
RankList: A Listwise Preference Learning Framework for Predicting Subjective Preferences
Naini, Diaz, Busso, arXiv 2508.09826 (2025). Offline, lists; scores of a model, or of a policy.

  answers sorted by label, best first;  z_i,k = -(s_(i) - s_(i+k)),  where labels differ by > W
  exact  E_k = sum_i log(1 + exp(z_i,k))      RankNet along the chain
  lse    A_k = log(1 + sum_i exp(z_i,k))      E_k without cross terms; its gradient goes to the
                                              comparisons that are most violated
  total  = sum_{k <= K} skip_decay^(k-1) A_k  K = max_skip: 1 = neighbours, n-1 = all pairs
  schedule: K = start_skip + steps // steps_per_skip, up to max_skip

A reconstruction: no code is published, and only abstract and captions were at hand; the form of the
log-sum-exp is the least certain part. With two answers exact = lse = RankNet = Bradley-Terry.

The paper ranks by a scorer's s = f(x): model=linear, mlp. On a language model s is the implied
reward beta (log pi - log pi_ref) (score=implied), or log pi per token (score=mean_logp, no
reference).

Pitfalls: answers with tied labels (difference <= W) are not compared; with W > 0 neighbours mostly
vanish and skips remain. lse is smaller than exact and wants another learning rate. exact grows with
the list: compare runs with reduction=mean_pairs.
"""


class Steps(torch.nn.Module):
    """Counts optimizer steps, so that a resumed run goes on with the schedule."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("done", torch.zeros((), dtype=torch.int64))
        self.done: Tensor


class RankList(LossAlgorithm):
    """Comparisons along sorted lists, near ones first."""

    card = CARD
    golden = "prefrun_listwise.golden:ranklist"
    vectors = "ranklist.json"
    paper: ClassVar[str] = "Naini et al. 2025, arXiv 2508.09826"
    kind: ClassVar[str] = "offline, lists"
    formula: ClassVar[str] = "sum_k log(1 + sum_i exp(s_(i+k) - s_(i))), lists sorted by label"
    verdict: ClassVar[str] = (
        "Above neighbours only and, in the domain of training, RankNet and ListMLE; the exact sum "
        "over all pairs is a little better still."
    )

    def __init__(self, config: RankListConfig) -> None:
        super().__init__(config)
        if config.score is Score.mean_logp:
            self.needs = frozenset()

    def check(self, data: DataSplit, reward: Reward | None) -> None:
        """Raise DataError if no training record has two answers that are compared."""
        del reward
        check_some_differ(data.train, data.objective, self.config.min_margin)

    def prepare(self, trees: Sequence[PreferenceTree], seed: int) -> list[PreferenceTree]:
        """Cut the records into lists of `list_size`."""
        size = self.config.list_size
        return (
            list(trees) if size is None else [part for t in trees for part in _cut(t, size, seed)]
        )

    def make_module(self, hidden_size: int) -> Steps | None:
        """Return the counter of a schedule."""
        del hidden_size
        return Steps() if self.config.steps_per_skip else None

    def step_done(self, sums: Mapping[str, Tensor]) -> None:
        """Count a step of a schedule."""
        del sums
        if isinstance(self.module, Steps):
            self.module.done += 1

    def loss(self, batch: BranchBatch) -> LossOutput:
        """Return one term: the list losses, weighted as the reduction says."""
        config, mask = self.config, batch.branch_mask
        scores = self._scores(batch)
        losses, counts = skip_losses(
            scores,
            batch.scores,
            mask,
            max_skip=self._visible_skip(),
            mode=config.mode.name,
            min_margin=config.min_margin,
        )
        skip_weights = config.skip_decay ** torch.arange(losses.shape[-1]).to(losses)
        pairs = counts.sum(-1)
        values, weights = (losses * skip_weights).sum(-1), mask.any(-1).to(losses)
        if config.reduction is Reduction.mean_pairs:
            values, weights = values / pairs.clamp(min=1), pairs.to(losses)
        term = Term(values, weights * batch.weights.to(weights))
        return LossOutput({"ranklist": term}, self._metrics(scores, batch), self._sums(pairs))

    def _scores(self, batch: BranchBatch) -> Tensor:
        if self.config.score is Score.mean_logp:
            return batch.policy_logps / batch.lengths.clamp(min=1)
        return self.config.beta * batch.log_ratios

    def _visible_skip(self) -> int | None:
        config = self.config
        if config.steps_per_skip is None:
            return config.max_skip
        done = int(self.module.done) if isinstance(self.module, Steps) else 0
        visible = config.start_skip + done // config.steps_per_skip
        return visible if config.max_skip is None else min(visible, config.max_skip)

    def _sums(self, pairs: Tensor) -> dict[str, Tensor]:
        """Without a sum the host does not tell of a step."""
        return {"pairs": pairs.sum()} if self.config.steps_per_skip else {}

    def _metrics(self, scores: Tensor, batch: BranchBatch) -> dict[str, Tensor]:
        tau, pairs = kendall_tau(scores.detach(), batch.scores, batch.branch_mask)
        metrics = ordering_metrics(scores, better_pairs(batch.scores, batch.branch_mask))
        metrics["kendall_tau"] = tau.sum() / (pairs > 0).sum().clamp(min=1)
        if self.config.steps_per_skip:
            metrics["visible_skip"] = torch.tensor(
                float(self._visible_skip() or 0), device=scores.device
            )
        return metrics


def _cut(tree: PreferenceTree, size: int, seed: int) -> Iterator[PreferenceTree]:
    """Yield lists of SIZE answers of TREE, drawn by SEED; a last one may be shorter, not single."""
    branches = list(tree.branches)
    random.Random(f"{seed} {tree.id}").shuffle(branches)
    starts = range(0, len(branches) - 1, size)
    for number, start in enumerate(starts, 1):
        part = tuple(branches[start : start + size])
        yield replace(tree, id=f"{tree.id}/{number}", branches=part)
