"""algo=da_dpo as the host sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from prefrun import DataError
from prefrun.policy.batch import BranchBatch
from prefrun.records.split import DataSplit
from prefrun.records.tree import OVERALL, PreferenceTree
from prefrun.reward import Reward
from prefrun_pairwise.curriculum import pairs_of
from prefrun_pairwise.difficulty import beta_weights, vote
from prefrun_pairwise.dpo import PairKnobs
from prefrun_pairwise.pair_records import pair_record
from prefrun_pairwise.pairs import Pairs
from prefrun_pairwise.variant_configs import DaDpoConfig, Difficulty, GapMode
from prefrun_pairwise.variants import SYMBOLS, Variant

EASINESS = "easiness"
"""Objective of prepared pairs: d of the chosen answer, 0 of the rejected one."""
CARD = f"""
DA-DPO: Difficulty-Aware DPO. Qiu et al., arXiv 2601.00623. Offline, pairs with scores.
{SYMBOLS}
  w = (g + 1) db_alpha, no gradient                -LS(beta w d)

g is the pair's easiness, in [0, 1]. difficulty=given: the gap of the data's scores, as the official
code has it, whose file holds scores fused in advance. difficulty=voted: from algo.estimators,
objectives of the data, such as two judges; for estimator m with the gaps g_m of all training pairs

  u_m = Phi((g_m - mean g_m) / std g_m)    v_m = share of pairs with g_m > 0
  g = sum_m v_m u_m / sum_m v_m            each pair becomes a record

The paper names this distribution-aware voting; the formula is a reconstruction. Pitfalls: at first
easy pairs get the larger gradient, up to twice that of hard ones, and saturate sooner; gap_mode=abs
(the code) takes a pair whose chosen answer scores lower for an easy one, relu for a hard one; the
mean beta is 1 + mean g times larger than that of DPO. Logged rewards use plain beta; rewards/easy
and rewards/hard are the margins of pairs above and below g = 0.5, and the mean over steps of their
difference is the paper's area under the gap. Any loss of algo=dpo with a beta of single pairs can
take the place of the logistic one: loss=poly is Poly-DPO with difficulty.
"""


class DaDpo(Variant):
    """DPO with a beta for every pair."""

    card = CARD
    golden = "prefrun_pairwise.method_golden:da_dpo"
    vectors = "da_dpo.json"
    paper: ClassVar[str] = "Qiu et al. 2026, arXiv 2601.00623"
    kind: ClassVar[str] = "offline, pairs with scores"
    formula: ClassVar[str] = "-LS(beta w d), w = (easiness + 1) db_alpha"
    verdict: ClassVar[str] = (
        "Reproduced: relies less on a shortcut than DPO, the inverse weights more; where the "
        "shortcut is absent all are equally accurate."
    )

    def __init__(self, config: DaDpoConfig) -> None:
        super().__init__(config)
        self.settings = config
        self.objective = OVERALL

    def check(self, data: DataSplit, reward: Reward | None) -> None:
        """Raise DataError if there is no pair, a record lacks an estimator's score, or given scores
        are too far apart."""
        super().check(data, reward)
        self.objective = data.objective
        for tree in data.train:
            if self.settings.difficulty is Difficulty.given:
                labels = tree.labels(data.objective)
                if max(labels) - min(labels) > 1:
                    raise DataError(
                        f"scores from {min(labels):g} to {max(labels):g}, but algo.difficulty="
                        "given needs them within [0, 1]",
                        record=tree.id,
                        field=data.objective,
                        remedy="scale the scores, or algo.difficulty=voted",
                    )
            else:
                self._estimates(tree)

    def prepare(self, trees: Sequence[PreferenceTree], seed: int) -> list[PreferenceTree]:
        """Make each pair a record with its easiness, where it is voted for."""
        del seed
        if self.settings.difficulty is Difficulty.given:
            return list(trees)
        pairs = [
            (tree, pair)
            for tree in trees
            for pair in pairs_of(tree.labels(self.objective), self.config.pairs.name)
        ]
        estimates = {tree.id: self._estimates(tree) for tree in trees}
        gaps = [
            [estimates[tree.id][place][a] - estimates[tree.id][place][b] for tree, (a, b) in pairs]
            for place in range(len(self.settings.estimators) or 1)
        ]
        easiness = vote(gaps) if pairs else []
        return [
            _with_easiness(pair_record(tree, pair), value)
            for (tree, pair), value in zip(pairs, easiness, strict=True)
        ]

    def pair_knobs(
        self, batch: BranchBatch, trees: Tensor, chosen: Tensor, rejected: Tensor
    ) -> PairKnobs:
        """Give each pair its beta."""
        scores = batch.objectives.get(EASINESS, batch.scores).to(batch.policy_token_logps)
        weights = beta_weights(
            scores[trees, chosen],
            scores[trees, rejected],
            self.settings.db_alpha,
            self.settings.gap_mode.name,
        )
        return replace(self.knobs, beta=self.settings.beta * weights)

    @torch.no_grad()
    def metrics(self, pairs: Pairs, knobs: PairKnobs) -> dict[str, Tensor]:
        """Add the mean weight, and the margins of easy and hard pairs."""
        beta: float = self.settings.beta
        weights = torch.as_tensor(knobs.beta) / beta
        margins = beta * (pairs.chosen_ratios - pairs.rejected_ratios)
        result = super().metrics(pairs, knobs) | {"weight": weights.mean()}
        relative = weights / self.settings.db_alpha
        inverse = self.settings.gap_mode is GapMode.inverse
        above = relative < 1 / 1.5 if inverse else relative > 1.5
        for name, side in (("easy", above), ("hard", ~above)):
            if bool(side.any()):
                result[f"rewards/{name}"] = margins[side].mean()
        return result

    def _estimates(self, tree: PreferenceTree) -> list[list[float]]:
        """Return, per estimator, its score of every answer; without any, the data's labels."""
        for name in self.settings.estimators:
            if not all(name in branch.scores for branch in tree.branches):
                known = sorted({name for branch in tree.branches for name in branch.scores})
                raise DataError(
                    f"no score '{name}' for every answer",
                    record=tree.id,
                    field=name,
                    remedy=f"set algo.estimators to some of {known}, or []",
                )
        named = [[b.scores[name] for b in tree.branches] for name in self.settings.estimators]
        return named or [tree.labels(self.objective)]


def _with_easiness(tree: PreferenceTree, value: float) -> PreferenceTree:
    branches = zip(tree.branches, (value, 0.0), strict=True)
    return replace(
        tree,
        branches=tuple(
            replace(branch, scores={**branch.scores, EASINESS: score}) for branch, score in branches
        ),
    )
