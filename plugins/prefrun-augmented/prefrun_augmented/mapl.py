"""algo=mapl as the host sees it: one answer under two prompts, and a pair under an extended one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import ClassVar

import torch
from torch import Tensor

from prefrun.algorithm import LossOutput, Term
from prefrun.needs import TEXT
from prefrun.policy.batch import BranchBatch
from prefrun.records.tree import Branch, Message, PreferenceTree, Prompt
from prefrun_augmented.around import ROLE, AroundLoss, best_and_worst, place_of, with_roles
from prefrun_augmented.config import MaplConfig
from prefrun_augmented.instructions import Instruction, matched, telling
from prefrun_augmented.mapl_loss import inter_values, intra_values

PLUS, MINUS, WIDER_BETTER, WIDER_WORSE = 1, 2, 3, 4
SIGN = "mapl_sign"
"""Objective of the extended pair: 1 where the better answer fits the extension, else -1."""
CARD = """
MAPL: multi-level aware preference learning
Sun, Cai, Zhu, Zhao, Xue, Zhou, Li, Li, arXiv 2505.12845. Offline; from each record two more
comparisons are made whose outcome a program can check.

  r(x, y) = beta [log pi(y|x) - log pi_ref(y|x)]
  intra   = -log sigmoid(r(x+, y) - r(x-, y))
            one answer under a prompt whose added instructions it follows, and under one of the same
            kinds of instructions of which it breaks one
  inter   = -log sigmoid(s ([r(x2, y_w) - r(x2, y_l)] - [r(x, y_w) - r(x, y_l)]))
            a pair under a prompt extended by an instruction that one of the two follows; s = 1 if
            that is the better one, else -1 (share: mirrored)
  loss    = base + lambda_intra intra + lambda_inter inter          base: algo.base, DPO by default

Reconstruction: no code and only the abstract could be read. In the DPO form log Z(x+) - log Z(x-)
does not cancel in the intra term, so its default weight is below 1.

Pitfalls: lambda_inter above 1 lowers the pair's own margin more than the base raises it;
detach_base_margin stops that. With lists the pair is the best and the worst answer.
"""


class Mapl(AroundLoss):
    """A base loss and comparisons of prompts."""

    card = CARD
    golden = "prefrun_augmented.golden:mapl"
    vectors = "mapl.json"
    paper: ClassVar[str] = "Sun et al. 2025, arXiv 2505.12845"
    kind: ClassVar[str] = "offline, pairs and made prompts"
    formula: ClassVar[str] = (
        "base + l1 -log s(r(x+,y) - r(x-,y)) + l2 -log s(margin(x2) - margin(x))"
    )
    verdict: ClassVar[str] = (
        "Not reproduced: a tiny model learns nothing about instructions, with or without the terms."
    )
    own_needs = frozenset({TEXT})
    config: MaplConfig

    def prepare(self, trees: Sequence[PreferenceTree], seed: int) -> list[PreferenceTree]:
        """Add to each record, where its answers allow, one answer and the pair under new prompts.

        A record that brings such branches along (they have the objective 'role') stays as it is.
        """
        draw = Random(f"mapl {seed}")
        return [
            tree if any(ROLE in b.scores for b in tree.branches) else self._extended(tree, draw)
            for tree in self.base.prepare(trees, seed)
        ]

    def loss(self, batch: BranchBatch) -> LossOutput:
        """Return the base's terms, `intra` and `inter`."""
        base = self.base_loss(batch)
        rewards = self.config.beta * batch.log_ratios
        intra, has_intra = self._intra(batch, rewards)
        inter, has_inter = self._inter(batch, rewards)
        terms = {
            "intra": _term(self.config.lambda_intra * intra, has_intra, batch),
            "inter": _term(self.config.lambda_inter * inter, has_inter, batch),
        }
        shares = {"intra": (intra, has_intra), "inter": (inter, has_inter)}
        right = {
            f"{name}/accuracies": ((values.detach() < LN_2) & has).sum() / has.sum().clamp(min=1)
            for name, (values, has) in shares.items()
        }
        return LossOutput({**base.terms, **terms}, {**base.metrics, **right}, base.sums)

    def _intra(self, batch: BranchBatch, rewards: Tensor) -> tuple[Tensor, Tensor]:
        plus, has = _reward_of(batch, rewards, PLUS)
        minus, _ = _reward_of(batch, rewards, MINUS)
        return intra_values(plus, minus), has

    def _inter(self, batch: BranchBatch, rewards: Tensor) -> tuple[Tensor, Tensor]:
        better, has = _reward_of(batch, rewards, WIDER_BETTER)
        worse, _ = _reward_of(batch, rewards, WIDER_WORSE)
        best, worst, _ = best_and_worst(batch)
        rows = torch.arange(len(best), device=best.device)
        margin = rewards[rows, best] - rewards[rows, worst]
        place, _ = place_of(batch, WIDER_BETTER)
        signs = batch.objectives.get(SIGN, torch.ones_like(rewards))[rows, place].to(rewards)
        return inter_values(better - worse, margin, signs, self.config.detach_base_margin), has

    def _extended(self, tree: PreferenceTree, draw: Random) -> PreferenceTree:
        ranks = tree.ranks(self.objective)
        better = tree.branches[ranks.index(1)]
        worse = tree.branches[ranks.index(max(ranks))]
        extra: list[tuple[int, Branch]] = []
        answer = draw.choice((better, worse))
        kept, broken = matched(answer.text, draw.randint(1, self.config.instructions), draw)
        if kept:
            extra.append((PLUS, _under(tree, answer, kept)))
            extra.append((MINUS, _under(tree, answer, broken)))
        mirrored = draw.random() < self.config.mirrored
        fits, fails = (worse, better) if mirrored else (better, worse)
        found = telling(fits.text, fails.text, draw) if better.text != worse.text else None
        if found is not None and max(ranks) > 1:
            extra.append((WIDER_BETTER, _under(tree, better, [found])))
            extra.append((WIDER_WORSE, _under(tree, worse, [found])))
        sign = -1.0 if mirrored else 1.0
        return _signed(with_roles(tree, extra), sign)


LN_2 = 0.6931471805599453
"""A value of -log sigmoid below it means that the comparison came out right."""


def _signed(tree: PreferenceTree, sign: float) -> PreferenceTree:
    branches = [replace(b, scores={**b.scores, SIGN: sign}) for b in tree.branches]
    return replace(tree, branches=tuple(branches))


def _under(tree: PreferenceTree, answer: Branch, added: Sequence[Instruction]) -> Branch:
    """ANSWER as the reply to the prompt and the ADDED instructions."""
    text = "".join(f"\n{item.text}" for item in added)
    return Branch(answer.steps, prompt=_longer(tree.prompt, text))


def _longer(prompt: Prompt, text: str) -> Prompt:
    if isinstance(prompt, str):
        return prompt.rstrip() + text + "\n"
    last = max(number for number, message in enumerate(prompt) if message.role == "user")
    grown = Message("user", prompt[last].content + text)
    return (*prompt[:last], grown, *prompt[last + 1 :])


def _reward_of(batch: BranchBatch, rewards: Tensor, role: int) -> tuple[Tensor, Tensor]:
    place, has = place_of(batch, role)
    return rewards.gather(-1, place.unsqueeze(-1)).squeeze(-1), has


def _term(values: Tensor, has: Tensor, batch: BranchBatch) -> Term:
    return Term(values.masked_fill(~has, 0.0), batch.weights.to(values) * has)
