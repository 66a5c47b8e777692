"""Losses over records that do not fit into one forward pass together.

All passes run without gradient first; the loss is taken over their results at once, and its slopes
by these results are what the passes, run again, are differentiated with. The gradient is that of
one large pass, the memory that of one small one (gradient caching, Gao et al. 2021).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

import torch
from torch import Tensor

from prefrun.policy.collate import STEP_EMBEDDINGS
from prefrun.policy.logprobs import token_logprobs

Part = Mapping[str, Any]
LOGPS = "logps"


def results_of(model: Any, part: Part, needs: Set[str]) -> dict[str, Tensor]:
    """Return what MODEL makes of a pass: log-probs and extras, step embeddings by branch."""
    logps, extras = token_logprobs(model, part, needs)
    return {name: _real(name, values, part) for name, values in {LOGPS: logps, **extras}.items()}


def join(joint: Part, parts: Sequence[Part], results: Sequence[Mapping[str, Tensor]]) -> Any:
    """Put the RESULTS of PARTS where JOINT, the batch of all records, has them: name -> tensor."""
    whole: dict[str, Tensor] = {}
    trees, branches, _ = joint["token_mask"].shape
    for part, result in zip(parts, results, strict=True):
        for name, values in result.items():
            if name == STEP_EMBEDDINGS:
                shape = (trees * branches, joint["steps"], values.shape[-1])
                flat = whole.setdefault(name, values.new_zeros(shape))
                flat[part["joint_branch"], : values.shape[1]] = values
            else:
                size = joint["token_mask"].numel()
                flat = whole.setdefault(name, values.new_zeros(size))
                flat[part["joint_slot"]] = values
    return {
        name: flat.view(trees, branches, *flat.shape[1:])
        if name == STEP_EMBEDDINGS
        else flat.view(joint["token_mask"].shape)
        for name, flat in whole.items()
    }


def slopes_by(
    loss: Tensor, whole: Mapping[str, Tensor], parameters: Sequence[Tensor] = ()
) -> dict[str, Tensor]:
    """Return the gradient of LOSS by each tensor of WHOLE that it depends on.

    Those by PARAMETERS, the algorithm's own, become their `grad`.
    """
    leaves = {name: values for name, values in whole.items() if values.requires_grad}
    torch.autograd.backward(loss, inputs=[*leaves.values(), *parameters])
    return {name: leaf.grad for name, leaf in leaves.items() if leaf.grad is not None}


def share(part: Part, result: Mapping[str, Tensor], slopes: Mapping[str, Tensor]) -> Tensor:
    """Return a number whose gradient is this pass's share of the joint loss's."""
    total = result[LOGPS].sum() * 0.0
    for name, slope in slopes.items():
        if name == STEP_EMBEDDINGS:
            own = slope.flatten(0, 1)[part["joint_branch"], : result[name].shape[1]]
        else:
            own = slope.flatten()[part["joint_slot"]]
        total = total + (result[name] * own).sum()
    return total


def _real(name: str, values: Tensor, part: Part) -> Tensor:
    """Leave the padding out: [N] scored tokens, or [n, S, H] branches."""
    if name == STEP_EMBEDDINGS:
        return values.flatten(0, 1)[part["branch_mask"].flatten()]
    return values.flatten()[part["slot"]]
