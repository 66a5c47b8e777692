"""algo=pro_ranking as the host sees it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from prefrun import DataError
from prefrun.algorithm import LossAlgorithm, LossOutput, Term
from prefrun.needs import NORMALISED
from prefrun.policy.batch import BranchBatch
from prefrun.records.split import DataSplit
from prefrun.records.tree import OVERALL, PreferenceTree
from prefrun.reward import Reward
from prefrun_listwise.config import ProRankingConfig
from prefrun_listwise.ordering_metrics import better_pairs, ordering_metrics
from prefrun_listwise.pro import rank_losses, sft_losses
from prefrun_listwise.skips import falling_order

CARD = """
PRO: Preference Ranking Optimization for Human Alignment
Song, Yu, Li et al., arXiv 2306.17492 (AAAI 2024). Offline, lists of any length, no reference.

  answers sorted by reward r, best first;  p_i = log pi(y_i|x) / |y_i|
  L_k   = log(exp(p_k g_kk) + sum_{i>k} exp(p_i g_ki)) - p_k g_kk,   k = 1 .. n-1
  g_ki  = r_k - r_i (one over the temperature),   g_kk = max_{i>k} g_ki
  total = sum_k L_k - sft_weight (n-1)^2 log pi(y_1|x), the last summed over tokens

use_temperature=false: all gaps 1, Plackett-Luce on p. length_normalise=false: p is the sum.
eps=1e-10 adds it inside the logarithm, as the authors' code does: there the gradient of the
logarithm vanishes where all p g are below -23. The default is the exact log-sum-exp.

Pitfalls: the loss is not shift-invariant in p, and positive p would be ordered wrongly: it is for
log-probs, no free scores (without sft_weight and use_temperature it is for both). Answers of almost
equal reward weigh most in the sum of exponentials (gap 0: the constant 1). Where all rewards of a
list are equal only the SFT term trains. The SFT term is a sum over tokens and dwarfs the ranking
for long answers. The gaps are in the data's units: ratings of 1 to 10 give temperatures that reward
models do not. Where records have ranks and no scores, the gaps are those of the ranks. The list is
sorted here, and a list of one answer is refused: (n-1)^2 would be 0 and nothing trained. The
end-of-turn token is always scored.
"""


class ProRanking(LossAlgorithm):
    """The ranking term and the supervised term on each list of answers."""

    card = CARD
    golden = "prefrun_listwise.golden:pro_ranking"
    vectors = "pro_ranking.json"
    needs = frozenset()
    paper: ClassVar[str] = "Song et al. 2023, arXiv 2306.17492"
    kind: ClassVar[str] = "offline, lists"
    formula: ClassVar[str] = (
        "sum_k [log(e^(p_k g_kk) + sum_{i>k} e^(p_i g_ki)) - p_k g_kk] - w (n-1)^2 log pi(y_1|x)"
    )
    verdict: ClassVar[str] = (
        "Longer rankings are better; five answers rank far better than supervised training for the "
        "same reward, two rank worse and earn less."
    )

    def __init__(self, config: ProRankingConfig) -> None:
        super().__init__(config)
        self._objective = OVERALL
        if config.sft_weight or config.use_temperature:  # neither has a meaning for free scores
            self.needs = frozenset({NORMALISED})

    def check(self, data: DataSplit, reward: Reward | None) -> None:
        """Raise DataError for a training record without two answers, and for equal scores only.

        These the supervised term can learn from, if it has a weight.
        """
        self._objective = data.objective
        if not self.config.sft_weight:
            super().check(data, reward)
        for tree in data.train:
            if len(tree.branches) < 2:
                raise DataError(
                    f"{len(tree.branches)} answer(s): algo=pro_ranking ranks at least 2",
                    record=tree.id,
                    field="branches",
                    remedy="leave the record out, or train on single answers with another loss",
                )

    def prepare(self, trees: Sequence[PreferenceTree], seed: int) -> list[PreferenceTree]:
        """Keep `ranking_length` answers of each list: the best, and others drawn by SEED."""
        length = self.config.ranking_length
        if length is None:
            return list(trees)
        return [_shortened(tree, self._objective, length, seed) for tree in trees]

    def loss(self, batch: BranchBatch) -> LossOutput:
        """Return the terms 'ranking' and 'sft', one value per list."""
        config = self.config
        order = falling_order(batch.scores, batch.branch_mask)
        logps, lengths, rewards, mask = (
            values.gather(-1, order)
            for values in (batch.policy_logps, batch.lengths, batch.scores, batch.branch_mask)
        )
        scores = logps / lengths.clamp(min=1) if config.length_normalise else logps
        sizes = mask.sum(-1)
        weights = batch.weights.to(scores) * (sizes > 1)
        supervised = sft_losses(logps, sizes.new_zeros(len(sizes)), sizes, config.sft_weight)
        terms = {"sft": Term(supervised, weights)}
        if config.ranking:
            by_place = rank_losses(
                scores,
                rewards.to(scores),
                mask,
                use_temperature=config.use_temperature,
                eps=config.eps,
            )
            terms["ranking"] = Term(by_place.sum(-1), weights)
        return LossOutput(terms, ordering_metrics(scores, better_pairs(rewards, mask)))


def _shortened(tree: PreferenceTree, objective: str, length: int, seed: int) -> PreferenceTree:
    if len(tree.branches) <= length:
        return tree
    best = tree.ranks(objective).index(1)
    others = [place for place in range(len(tree.branches)) if place != best]
    random.Random(f"{seed} {tree.id}").shuffle(others)  # a longer list holds the shorter one
    kept = sorted([best, *others[: length - 1]])
    return replace(tree, branches=tuple(tree.branches[place] for place in kept))
