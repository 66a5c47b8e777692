"""algo=dove as the host sees it: preferences over instruction and answer together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from prefrun.algorithm import LossOutput
from prefrun.needs import TEXT
from prefrun.policy.batch import BranchBatch
from prefrun.records.tree import PreferenceTree
from prefrun_augmented.around import AroundLoss, best_and_worst
from prefrun_augmented.config import DoveConfig

CARD = """
DOVE: joint preference optimization
Bansal, Suvarna, Bhatt, Peng, Chang, Grover, arXiv 2404.00530. Offline; a pair may be of two answers
to two different instructions, and the instruction's tokens are scored like the answer's.

  h(I, R) = sum over the tokens of prompt, answer and end of turn of log pi - log pi_ref
  loss    = -log sigmoid(beta [h(I_w, R_w) - h(I_l, R_l)])        algo.base=dpo

With the same instruction on both sides it is DPO exactly: the instruction's tokens cancel.
joint=false scores the answers only, each behind its own instruction: DPO on mismatched prompts,
the paper's baseline, and the published code's default (joint_distribution=False).

Pitfalls: the sum is driven by long instructions: log_ratio/instruction and log_ratio/response say
how much each part moves. The beginning that all prompts of a record share, the whole prompt where
they are the same, is not scored: it cancels.
"""


class Dove(AroundLoss):
    """A base loss over instructions and answers together."""

    card = CARD
    golden = "prefrun_augmented.golden:dove"
    vectors = "dove.json"
    paper: ClassVar[str] = "Bansal et al. 2024, arXiv 2404.00530"
    kind: ClassVar[str] = "offline, pairs of instruction and answer"
    formula: ClassVar[str] = "-log sigmoid(beta [h(I_w, R_w) - h(I_l, R_l)]), h over all tokens"
    verdict: ClassVar[str] = (
        "Reproduced: better than DPO on the conditional pairs, and than DPO with masked "
        "instructions on all pairs, three seeds."
    )
    own_needs = frozenset({TEXT})
    config: DoveConfig

    def prepare(self, trees: Sequence[PreferenceTree], seed: int) -> list[PreferenceTree]:
        """Let each answer's instruction be scored, as its first step."""
        return [self._joint(tree) for tree in self.base.prepare(trees, seed)]

    def loss(self, batch: BranchBatch) -> LossOutput:
        """Return the base's terms, and how much each part of a pair moved."""
        answers = batch.token_mask & (batch.step_index > 0)
        seen = batch if self.config.joint else _only_tokens(batch, answers)
        base = self.base.loss(seen)
        return LossOutput(base.terms, {**base.metrics, **_parts(batch, answers)}, base.sums)

    def _joint(self, tree: PreferenceTree) -> PreferenceTree:
        branches = [
            replace(branch, prompt=branch.prompt or tree.prompt, score_prompt=True)
            for branch in tree.branches
        ]
        return replace(tree, branches=tuple(branches))


def _only_tokens(batch: BranchBatch, keep: Tensor) -> BranchBatch:
    reference = batch.reference_token_logps
    return replace(
        batch,
        token_mask=keep,
        policy_token_logps=batch.policy_token_logps.masked_fill(~keep, 0.0),
        reference_token_logps=None if reference is None else reference.masked_fill(~keep, 0.0),
    )


@torch.no_grad()
def _parts(batch: BranchBatch, answers: Tensor) -> dict[str, Tensor]:
    """Mean over best and worst answers of the log-ratio margin, by part."""
    if batch.reference_token_logps is None:
        return {}
    ratios = (batch.policy_token_logps - batch.reference_token_logps) * batch.token_mask
    best, worst, differ = best_and_worst(batch)
    rows = torch.arange(len(best), device=best.device)
    parts = {"instruction": ~answers, "response": answers}
    sums = {name: (ratios * part).sum(-1) for name, part in parts.items()}
    margins = {name: (s[rows, best] - s[rows, worst]) * differ for name, s in sums.items()}
    count = differ.sum().clamp(min=1)
    return {f"log_ratio/{name}": margin.sum() / count for name, margin in margins.items()}
