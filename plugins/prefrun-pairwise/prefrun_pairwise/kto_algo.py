"""algo=kto as the host sees it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from random import Random
from typing import ClassVar

import torch
from torch import Tensor

from prefrun import ConfigError
from prefrun.algorithm import LossAlgorithm, LossOutput, Term
from prefrun.policy.batch import BranchBatch
from prefrun.records.split import DataSplit
from prefrun.records.tree import Branch, PreferenceTree
from prefrun.reward import Reward
from prefrun_pairwise.kto import kl_estimate, kto
from prefrun_pairwise.kto_sides import check_sides, suitable_threshold
from prefrun_pairwise.policy_configs import Kl, KtoConfig

MISMATCHED = "mismatched"
"""Objective that is 1 for the answer taken from another record, 0 for the record's own."""
CARD = """
KTO: Kahneman-Tversky Optimization. Ethayarajh et al., arXiv 2402.01306. Offline; single answers
that are desirable or not.

  h = log pi(y|x) - log pi_ref(y|x)      S = sigmoid
  z = max(0, mean over the batch of h of answers taken from other records), no gradient
  desirable answer     w_D (1 - S(beta (h - z)))
  undesirable answer   w_U (1 - S(beta (z - h)))          mean over the batch's answers

An answer is desirable if it scores above algo.threshold. Without one: above 0.5 if all scores are 0
or 1, as labels are; else above the mean of its record's answers: of two, the better one. Single
answers with other scores need a threshold, and an answer of each kind that has a weight must be
there. Same name, different maths: algo.kl=none has z = 0 and is
TRL's apo_zero_unpaired. TRL pairs prompt i with the answer of i-1 inside each batch, one for every
answer; here each record gets one answer of another record, once, in random order by the run's seed,
which estimates the same mean and does not depend on the batch. Pitfalls: z couples the records of a
step; in a batch of one record it is noise, biased up by the clamp. Unequally many answers of both
kinds: keep w_D n_D / (w_U n_U) in [1, 4/3].
"""


class Kto(LossAlgorithm):
    """Losses of single answers, against a common reference point."""

    card = CARD
    golden = "prefrun_pairwise.golden:kto_cases"
    vectors = "insights_variants.json"
    paper: ClassVar[str] = "Ethayarajh et al. 2024, arXiv 2402.01306"
    kind: ClassVar[str] = "offline, single answers"
    formula: ClassVar[str] = "w_D (1 - S(beta (h - z))) or w_U (1 - S(beta (z - h)))"
    verdict: ClassVar[str] = (
        "No claim tested; with eight variants on one world: 3.47 to 4.15 in reward."
    )

    min_branches = 1

    def __init__(self, config: KtoConfig) -> None:
        super().__init__(config)
        self.threshold: float | None = config.threshold
        self.batch_coupled = config.kl is Kl.mismatched

    def check(self, data: DataSplit, reward: Reward | None) -> None:
        """Choose the threshold that suits the data, where none is set.

        Raises DataError if none does, or if no answer is desirable or none undesirable.
        """
        del reward
        labels = {tree.id: tree.labels(data.objective) for tree in data.train}
        self.threshold = self.config.threshold
        if self.threshold is None:
            self.threshold = suitable_threshold(labels)
            rule = "the mean of the record's" if self.threshold is None else f"{self.threshold:g}"
            self.note = f"answers that score above {rule} are desirable (algo.threshold)"
        check_sides(self.config, labels, self.threshold)

    def prepare(self, trees: Sequence[PreferenceTree], seed: int) -> list[PreferenceTree]:
        """Give each record, as its last branch, an answer of another one.

        Raises ConfigError where no other record has an answer that differs.
        """
        if self.config.kl is Kl.none:
            return list(trees)
        draw = Random(seed)
        order = draw.sample(range(len(trees)), len(trees))
        result = list(trees)
        for turn, place in enumerate(order):
            others = (trees[order[turn - back]] for back in range(1, len(order)))
            result[place] = _with_mismatched(trees[place], others, draw)
        return result

    def loss(self, batch: BranchBatch) -> LossOutput:
        """Return one term, a mean over the batch's answers of either kind."""
        config = self.config
        mismatched = batch.objectives.get(MISMATCHED, torch.zeros_like(batch.scores)) > 0
        own = batch.branch_mask & ~mismatched
        desirable, undesirable = split_answers(batch.scores, own, self.threshold)
        ratios = batch.log_ratios
        kl = ratios.new_zeros(())
        if bool(mismatched.any()):
            kl = kl_estimate(batch.policy_logps[mismatched], batch.reference_logps[mismatched])
        labelled = desirable | undesirable
        values = kto(
            ratios[labelled],
            desirable[labelled],
            kl,
            beta=config.beta,
            desirable_weight=config.desirable_weight,
            undesirable_weight=config.undesirable_weight,
        )
        weights = batch.weights.unsqueeze(-1).expand_as(ratios)[labelled].to(values)
        metrics = {"kl": kl}
        for name, side in (("chosen", desirable), ("rejected", undesirable)):
            if bool(side.any()):
                metrics[f"rewards/{name}"] = config.beta * ratios[side].detach().mean()
        return LossOutput({"kto": Term(values, weights)}, metrics)


def split_answers(scores: Tensor, mask: Tensor, threshold: float | None) -> tuple[Tensor, Tensor]:
    """Return which answers are desirable and which undesirable: [B, K] bool each.

    scores: [B, K]; mask: [B, K] bool, the answers that count; threshold: None = the mean score of
    each row's answers.
    """
    if threshold is None:
        kept = scores.double().masked_fill(~mask, 0.0)
        middle = kept.sum(-1, keepdim=True) / mask.sum(-1, keepdim=True).clamp(min=1)
        # a record whose scores are all equal has a mean that may miss them by a rounding error
        highest = scores.masked_fill(~mask, -torch.inf).amax(-1, keepdim=True)
        lowest = scores.masked_fill(~mask, torch.inf).amin(-1, keepdim=True)
        mask = mask & (highest > lowest)
    else:
        middle = torch.full_like(scores[:, :1], threshold)
    return mask & (scores > middle), mask & (scores < middle)


def _with_mismatched(
    tree: PreferenceTree, others: Iterable[PreferenceTree], draw: Random
) -> PreferenceTree:
    """Return TREE with an answer of the first of OTHERS that has one which is none of its own."""
    own_answers = {_answer(branch) for branch in tree.branches}
    strange = next(
        (
            branch
            for other in others
            for branch in draw.sample(other.branches, len(other.branches))
            if _answer(branch) not in own_answers
        ),
        None,
    )
    if strange is None:
        raise ConfigError(
            f"algo.kl=mismatched: no other record has an answer that differs from those of record "
            f"{tree.id}\n  remedy: algo.kl=none, or more training records"
        )
    first = tree.branches[0]
    own = [replace(b, scores={**b.scores, MISMATCHED: 0.0}) for b in tree.branches]
    added = Branch(
        strange.steps,
        scores={**first.scores, MISMATCHED: 1.0},
        rank=first.rank,
        source=strange.source,
        features=strange.features,
    )
    return replace(tree, branches=(*own, added))


def _answer(branch: Branch) -> tuple[str, bytes]:
    """What tells BRANCH from other answers: its text and, if a model reads these, its features."""
    return branch.text, b"" if branch.features is None else branch.features.tobytes()
