"""Losses over records that do not fit into one forward pass together.

All passes run without gradient first; the loss is taken over their results at once, and its
gradient by these results is what the passes, run again, are differentiated with. The gradient is
that of one large pass, the memory that of one small one (gradient caching, Gao et al. 2021).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from prefrun.models.kind import ModelKind
from prefrun.needs import Per, need_called

Part = Mapping[str, Any]
NUMBERS = "numbers"
POSITIONS = {
    Per.token: "joint_slot",
    Per.branch: "joint_branch",
    Per.step: "joint_branch",
    Per.tree: "joint_tree",
}
"""By what there is one value of: where a pass says which positions of the joint batch it has."""


def results_of(
    kind: ModelKind, model: Any, part: Part, needs: Collection[str]
) -> dict[str, Tensor]:
    """Return what MODEL of KIND makes of a pass: its numbers and extras without the padding."""
    numbers, extras = kind.forward(model, part, needs)
    return {
        name: _real(name, values, part) for name, values in {NUMBERS: numbers, **extras}.items()
    }


def join(joint: Part, parts: Sequence[Part], results: Sequence[Mapping[str, Tensor]]) -> Any:
    """Put the RESULTS of PARTS where JOINT, the batch of all records, has them: name -> tensor."""
    whole: dict[str, Tensor] = {}
    for part, result in zip(parts, results, strict=True):
        for name, values in result.items():
            per = need_called(name).per
            flat = whole.get(name)
            if flat is None:
                flat = whole[name] = values.new_zeros(_flat_shape(per, values, joint))
            positions = part[POSITIONS[per]]
            if per is Per.step:
                flat[positions, : values.shape[1]] = values
            else:
                flat[positions] = values
    return {
        name: flat.view(*_shape(need_called(name).per, joint), *flat.shape[1:])
        for name, flat in whole.items()
    }


def differentiable(whole: Mapping[str, Tensor]) -> list[str]:
    """Return the names of WHOLE by which a loss has a gradient."""
    return [name for name in whole if name == NUMBERS or need_called(name).has_gradient]


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
    total = result[NUMBERS].sum() * 0.0
    for name, slope in slopes.items():
        per = need_called(name).per
        own = slope.flatten(0, {Per.token: 2, Per.tree: 0}.get(per, 1))[part[POSITIONS[per]]]
        if per is Per.step:
            own = own[:, : result[name].shape[1]]
        if per is Per.tree:  # each piece of a tree has the tree's one value
            own = own / part["joint_pieces"][:, None]
        total = total + (result[name] * own).sum()
    return total


def _shape(per: Per, joint: Part) -> tuple[int, ...]:
    """The axes of JOINT that there is one value of each of."""
    shape: tuple[int, ...] = tuple(joint["token_mask"].shape)
    return {Per.token: shape, Per.tree: shape[:1]}.get(per, shape[:2])


def _flat_shape(per: Per, values: Tensor, joint: Part) -> tuple[int, ...]:
    count = 1
    for size in _shape(per, joint):
        count *= size
    rest = tuple(values.shape[1:])
    if per is Per.step:
        rest = (joint["steps"], *rest[1:])
    return (count, *rest)


def _real(name: str, values: Tensor, part: Part) -> Tensor:
    """Leave the padding out: [N, ...] tokens, [n, ...] branches, or all trees."""
    per = need_called(name).per
    if per is Per.token:
        return values.flatten(0, 2)[part["slot"]]
    if per is Per.tree:
        return values
    return values.flatten(0, 1)[part["branch_mask"].flatten()]
