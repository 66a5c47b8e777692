"""Tree Preference Optimization (Liao et al., arXiv 2410.12854): pure functions of tensors.

Shapes: B trees, K branches, T tokens, S steps, H hidden units. Padding may hold anything finite.
The published code trains with the wrong sign and is no oracle; this follows the paper's intent.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

EPSILON = 1e-8


def merge_late_steps(step_index: Tensor, token_mask: Tensor, branch_mask: Tensor) -> Tensor:
    """Count steps beyond the shortest branch's as part of its last one.

    step_index [B, K, T], token_mask [B, K, T], branch_mask [B, K]. Returns [B, K, T].
    """
    last = step_index.masked_fill(~token_mask, -1).amax(-1)
    shortest = last.masked_fill(~branch_mask | (last < 0), step_index.shape[-1]).amin(-1)
    return step_index.minimum(shortest[:, None, None])


def step_sums(values: Tensor, step_index: Tensor, steps: int) -> Tensor:
    """Sum VALUES [B, K, T], 0 at the padding, by step: [B, K, S]."""
    sums = values.new_zeros(*values.shape[:2], steps)
    return sums.scatter_add(-1, step_index, values)


def merged_embeddings(
    embeddings: Tensor, step_index: Tensor, merged_index: Tensor, token_mask: Tensor
) -> Tensor:
    """Means [B, K, S, H] over the tokens of merged steps, from EMBEDDINGS, those of the steps."""
    steps = embeddings.shape[2]
    counts = step_sums(token_mask.to(embeddings.dtype), step_index, steps)
    target = torch.arange(steps, device=step_index.device).expand(*step_index.shape[:2], steps)
    last = merged_index.masked_fill(~token_mask, 0).amax(-1, keepdim=True)
    target = target.minimum(last)[..., None].expand_as(embeddings)
    sums = torch.zeros_like(embeddings).scatter_add(2, target, embeddings * counts[..., None])
    merged = step_sums(token_mask.to(embeddings.dtype), merged_index, steps)
    return sums / merged.clamp(min=1)[..., None]


def step_weights(embeddings: Tensor, present: Tensor, reference: Tensor, sign: float) -> Tensor:
    """w = 1 + SIGN * cos(e_{n,s}, e_{ref,s}), 0 where a step is missing in either branch.

    embeddings [B, K, S, H]; present [B, K, S] bool; reference [B] index of the branch compared
    with. Returns [B, K, S].
    """
    place = reference[:, None, None].expand(-1, 1, present.shape[-1])
    theirs = embeddings.gather(1, place[..., None].expand(-1, -1, -1, embeddings.shape[-1]))
    both = present & present.gather(1, place)
    like = torch.cosine_similarity(embeddings, theirs, dim=-1, eps=EPSILON)
    return (1.0 + sign * like).masked_fill(~both, 0.0)


def tree_rewards(
    log_ratios: Tensor,
    token_mask: Tensor,
    step_index: Tensor,
    weights: Tensor,
    beta: float,
    aggregation: str,
) -> Tensor:
    """Step-weighted implied rewards [B, K].

    log_ratios [B, K, T], per token log pi - log pi_ref; weights [B, K, S].
    sum_tokens: beta * sum_s w_s * sum_{t in s} d_t. step_mean: beta * (sum_s w_s * mean_{t in s}
    d_t) / sum_s w_s, 0 where the weights add up to 0.
    """
    steps = weights.shape[-1]
    sums = step_sums(log_ratios.masked_fill(~token_mask, 0.0), step_index, steps)
    if aggregation == "sum_tokens":
        return beta * (weights * sums).sum(-1)
    counts = step_sums(token_mask.to(sums.dtype), step_index, steps)
    weighted = (weights * sums / counts.clamp(min=1)).sum(-1)
    total = weights.sum(-1)
    empty = total.abs() < EPSILON
    return beta * (weighted / total.masked_fill(empty, 1.0)).masked_fill(empty, 0.0)


def ranking_loss(rewards: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """LambdaLoss [B]: sum over v_i > v_j of Delta_ij * log(1 + exp(-(r_i - r_j))).

    Delta = |2^v_i - 2^v_j| * |1/log(1 + tau_i) - 1/log(1 + tau_j)|, tau the rank by reward, without
    gradient. rewards, labels [B, K]; mask [B, K] bool.
    """
    pairs = mask.unsqueeze(-1) & mask.unsqueeze(-2) & labels.unsqueeze(-1).gt(labels.unsqueeze(-2))
    gains = torch.exp2(labels.masked_fill(~mask, 0.0))
    discounts = 1.0 / torch.log(1.0 + _ranks(rewards.detach(), mask))
    delta = _gaps(gains) * _gaps(discounts)
    clean = rewards.masked_fill(~mask, 0.0)
    losses = -logsigmoid(clean.unsqueeze(-1) - clean.unsqueeze(-2)) * delta
    return losses.masked_fill(~pairs, 0.0).sum((-1, -2))


def _ranks(rewards: Tensor, mask: Tensor) -> Tensor:
    """[B, K] 1-based ranks, highest reward first; equal ones by position, padding last."""
    keys = rewards.masked_fill(~mask, -torch.inf)
    order = torch.argsort(keys, dim=-1, descending=True, stable=True)
    return 1.0 + torch.argsort(order, dim=-1).to(rewards.dtype)


def _gaps(values: Tensor) -> Tensor:
    return (values.unsqueeze(-1) - values.unsqueeze(-2)).abs()
