"""The tensors that pass between packer, model and loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from torch import Tensor


@dataclass(frozen=True, slots=True)
class BranchBatch:
    """What a loss sees: B trees of up to K branches of up to T scored tokens, padded."""

    policy_token_logps: Tensor
    """[B, K, T] float32 (float64 of a float64 model) log-probs of the answers' tokens; 0 where
    `token_mask` is False."""
    token_mask: Tensor
    """[B, K, T] bool: True at an answer's tokens, its end-of-turn token included."""
    branch_mask: Tensor
    """[B, K] bool: True where the tree has that branch."""
    scores: Tensor
    """[B, K] float32 of the data's objective, higher is better; 0 in the padding."""
    ranks: Tensor
    """[B, K] int64 competition ranks, 1 is best, ties share the smallest; 0 in the padding."""
    weights: Tensor
    """[B] float32, how much each tree counts."""
    branch_weights: Tensor
    """[B, K] float32, how much each branch counts; 0 in the padding."""
    step_index: Tensor
    """[B, K, T] int64: which step of its branch a token belongs to; 0 in the padding."""
    step_scores: Tensor
    """[B, K, S] float32 step scores; NaN where a step was not judged or does not exist."""
    reference_token_logps: Tensor | None = None
    """[B, K, T] the same under the frozen reference; None where the algorithm needs none."""
    objectives: Mapping[str, Tensor] = field(default_factory=dict)
    """[B, K] per objective that every branch of the batch has."""
    branch_extras: Mapping[str, Tensor] = field(default_factory=dict)
    """[B, K] numbers that every branch's record brings, see `Branch.extras`; no gradient."""
    extras: Mapping[str, Tensor] = field(default_factory=dict)
    """[B, K, T] further per-token numbers: what an algorithm asked for in `needs`, and what every
    branch's record brings, see `Branch.token_extras`; no gradient."""
    step_embeddings: Tensor | None = None
    """[B, K, S, H] means of the policy's last hidden states over each step's tokens, 0 where there
    is no step; they carry the gradient. None where the algorithm does not need them."""
    last_hidden: Tensor | None = None
    """[B, K, H] the policy's last hidden state at each answer's last token, its end-of-turn token
    included, 0 in the padding; with gradient. None if the algorithm does not need it."""
    prompt_hidden: Tensor | None = None
    """[B, H] the same at the prompt's last token."""
    hidden: Tensor | None = None
    """[B, K, T, H] the same at the position that predicts each token, 0 in the padding."""
    ids: tuple[str, ...] = ()
    """[B] the trees' ids."""
    annotators: tuple[str, ...] = ()
    """[B] who judged each tree; '' where that is unknown."""

    @property
    def policy_logps(self) -> Tensor:
        """[B, K] sums over each answer's tokens; padding is not read."""
        return self.policy_token_logps.masked_fill(~self.token_mask, 0.0).sum(-1)

    @property
    def reference_logps(self) -> Tensor:
        """[B, K] sums under the reference, no gradient. Raises ValueError where there is none."""
        if self.reference_token_logps is None:
            raise ValueError("the batch has no reference log-probs: add 'reference' to `needs`")
        return self.reference_token_logps.detach().masked_fill(~self.token_mask, 0.0).sum(-1)

    @property
    def log_ratios(self) -> Tensor:
        """[B, K] log pi(y|x) - log pi_ref(y|x): the DPO reward divided by beta."""
        return self.policy_logps - self.reference_logps

    @property
    def lengths(self) -> Tensor:
        """[B, K] int64 number of scored tokens of each answer."""
        return self.token_mask.sum(-1)

    def with_policy(self, token_logps: Tensor, extras: Mapping[str, Tensor]) -> BranchBatch:
        """Return this batch with another policy's log-probs [B, K, T] and extras."""
        return replace(self, policy_token_logps=token_logps, extras=extras)


def competition_ranks(scores: Tensor, mask: Tensor) -> Tensor:
    """Ranks [B, K] int64 of scores [B, K]: 1 is best, ties share the smallest, 0 in the padding."""
    better = (scores.unsqueeze(-2) > scores.unsqueeze(-1)) & mask.unsqueeze(-2)
    return (1 + better.sum(-1)).masked_fill(~mask, 0)
