"""Pairs of answers as the pairwise losses see them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from prefrun_pairwise.tokens import length_desensitized_weights, mean_logps, sum_logps


@dataclass(frozen=True, slots=True)
class AnswerTokens:
    """One side of P pairs, token by token."""

    policy: Tensor
    """[P, T] log-probs under the policy."""
    reference: Tensor
    """[P, T] log-probs under the frozen reference."""
    mask: Tensor
    """[P, T] bool, True at the answer's tokens."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """P pairs, each a preferred answer y_c and a rejected answer y_r to one prompt x."""

    chosen_logps: Tensor
    """[P] log pi(y_c|x), summed over tokens."""
    rejected_logps: Tensor
    """[P] log pi(y_r|x)."""
    ref_chosen_logps: Tensor
    """[P] log pi_ref(y_c|x)."""
    ref_rejected_logps: Tensor
    """[P] log pi_ref(y_r|x)."""
    chosen_lengths: Tensor
    """[P] number of tokens of y_c; may be 0."""
    rejected_lengths: Tensor
    """[P] number of tokens of y_r; may be 0."""
    chosen_nll: Tensor
    """[P] mean over the tokens of y_c of -log pi: only the loss `sft` reads it."""

    @property
    def chosen_ratios(self) -> Tensor:
        """h_c = log pi(y_c|x) - log pi_ref(y_c|x): [P]."""
        return self.chosen_logps - self.ref_chosen_logps

    @property
    def rejected_ratios(self) -> Tensor:
        """h_r = log pi(y_r|x) - log pi_ref(y_r|x): [P]."""
        return self.rejected_logps - self.ref_rejected_logps


def pairs_from_tokens(
    chosen: AnswerTokens,
    rejected: AnswerTokens,
    ld_alpha: float | None = None,
    ld_reference: bool = True,
) -> Pairs:
    """Sum the tokens of P pairs.

    ld_alpha: None sums plainly; a number in [0, 1] is LD-DPO's weight of the tokens beyond the
    pair's shorter answer, under the policy and, with ld_reference, under the reference (TRL); else
    the reference is summed plainly (LLaMA-Factory).
    """
    lengths = chosen.mask.sum(-1), rejected.mask.sum(-1)
    shared = torch.minimum(*lengths)
    sums = []
    for answer in (chosen, rejected):
        weights = None
        if ld_alpha is not None:
            weights = length_desensitized_weights(answer.mask, shared, ld_alpha)
        sums += [
            sum_logps(answer.policy, answer.mask, weights),
            sum_logps(answer.reference, answer.mask, weights if ld_reference else None),
        ]
    return Pairs(
        chosen_logps=sums[0],
        rejected_logps=sums[2],
        ref_chosen_logps=sums[1],
        ref_rejected_logps=sums[3],
        chosen_lengths=lengths[0],
        rejected_lengths=lengths[1],
        chosen_nll=-mean_logps(chosen.policy, chosen.mask),
    )


@torch.no_grad()
def implied_rewards(pairs: Pairs, beta: float) -> dict[str, Tensor]:
    """What TRL logs, of the rewards beta * h."""
    return reward_means(beta * pairs.chosen_ratios, beta * pairs.rejected_ratios)


@torch.no_grad()
def reward_means(chosen: Tensor, rejected: Tensor) -> dict[str, Tensor]:
    """Means of the rewards [P], and the share of pairs ranked right, a tie being wrong."""
    return {
        "rewards/chosen": chosen.mean(),
        "rewards/rejected": rejected.mean(),
        "rewards/accuracies": (chosen > rejected).to(chosen).mean(),
        "rewards/margins": (chosen - rejected).mean(),
    }
