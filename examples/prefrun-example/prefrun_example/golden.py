"""Computes the numbers of a golden-vector case of `dpop.json` from its inputs."""

from typing import Any

import torch

from prefrun_example.loss import better_pairs, dpop_losses


def compute(inputs: dict[str, Any], hyper: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the mean loss over the pairs, and its gradient [B, K] by the policy's log-probs.

    INPUTS: policy_logps, ref_logps, scores, each [B][K]; HYPER: beta, penalty. In float64.
    """
    del name
    policy = torch.tensor(inputs["policy_logps"], dtype=torch.float64, requires_grad=True)
    reference = torch.tensor(inputs["ref_logps"], dtype=torch.float64)
    scores = torch.tensor(inputs["scores"], dtype=torch.float64)
    better = better_pairs(scores, torch.ones_like(scores, dtype=torch.bool))
    loss = dpop_losses(policy - reference, hyper["beta"], hyper["penalty"])[better].mean()
    (gradient,) = torch.autograd.grad(loss, policy)
    return {"loss": loss.item(), "gradient": gradient.tolist()}
