"""Computes the numbers of a golden-vector case of `tpo.json` from its inputs.

The keys `official.…` are those of the published code, which trains with the wrong sign: they are
documentation and are not computed.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from prefrun_tpo.loss import ranking_loss, step_sums, step_weights, tree_rewards


def compute(inputs: dict[str, Any], hyper: dict[str, Any], name: str) -> dict[str, Any]:
    """Every expected key of one case but the published code's, in float64.

    inputs: policy_token_logps, ref_token_logps [B][N][T], hidden_state [B][N][T][D], step_index
    [B][N][T] (0 = prompt or padding), labels01 [B][N]; hyper: beta.
    """
    policy = _tensor(inputs["policy_token_logps"]).requires_grad_()
    reference, hidden = _tensor(inputs["ref_token_logps"]), _tensor(inputs["hidden_state"])
    index = torch.tensor(inputs["step_index"])
    labels, tokens = _tensor(inputs["labels01"]), index > 0
    mask = torch.ones_like(labels, dtype=torch.bool)
    steps = int(index.max()) + 1
    counts = step_sums(tokens.double(), index, steps)
    embeddings = torch.stack(
        [step_sums(h * tokens, index, steps) for h in hidden.unbind(-1)], dim=-1
    ) / counts.clamp(min=1).unsqueeze(-1)
    first = torch.zeros(len(labels), dtype=torch.int64)
    weights = step_weights(embeddings, counts > 0, first, 1.0)

    computed: dict[str, Any] = {"step_weights_1_plus_cos": weights.tolist()}
    for aggregation in ("sum_tokens", "step_mean"):
        rewards = tree_rewards(
            policy - reference, tokens, index, weights, hyper["beta"], aggregation
        )
        values = ranking_loss(rewards, labels, mask)
        (gradient,) = torch.autograd.grad(values.mean(), policy)
        computed |= {
            f"intended.{aggregation}.rewards": rewards.tolist(),
            f"intended.{aggregation}.loss_per_list": values.tolist(),
            f"intended.{aggregation}.loss": values.mean().item(),
            f"intended.{aggregation}.grad_policy_token_logps": gradient.tolist(),
        }
    ones = (counts > 0).double()
    plain = tree_rewards(policy - reference, tokens, index, ones, hyper["beta"], "sum_tokens")
    computed["no_step_weight.loss"] = ranking_loss(plain, labels, mask).mean().item()
    return computed


def _tensor(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
