"""The means of a step's terms: weights summed over all passes first, then each pass' share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from prefrun.algorithm import LossAlgorithm, LossOutput
from prefrun.errors import PluginError
from prefrun.policy.collate import branch_batch
from prefrun.training.companion import add_to
from prefrun.training.empty_step import blank_extras
from prefrun.training.output_check import at_loss, least_weight, output_of


def weigh(
    algorithm: LossAlgorithm, batches: Sequence[Mapping[str, Any]], width: int
) -> dict[str, Tensor]:
    """Return the sum of each term's weights over the collated BATCHES of a step.

    They depend on data only, so zero log-probs will do. WIDTH: that of the policy's hidden states.
    Raises PluginError, naming the loss's line, if the loss returned what no loss may.
    """
    totals: dict[str, Tensor] = {}
    for inputs in batches:
        zeros = torch.zeros(inputs["token_mask"].shape, device=inputs["token_mask"].device)
        extras = blank_extras(inputs, algorithm, width)
        with torch.no_grad():
            output = output_of(algorithm, branch_batch(inputs, zeros, extras))
        if not least_weight(output) >= 0:
            raise PluginError(at_loss(algorithm, "returned a weight below 0, or NaN"))
        add_to(totals, {name: term.weights.sum() for name, term in output.terms.items()})
    return totals


def share_of_step(
    algorithm: LossAlgorithm, output: LossOutput, totals: Mapping[str, Tensor]
) -> Tensor:
    """Return a pass' share, a scalar, of the loss of a step whose terms weigh TOTALS.

    Raises PluginError if OUTPUT has a term that it had not when the step was weighed.
    """
    if not output.terms.keys() <= totals.keys():
        names = f"{[*output.terms]}, but {[*totals]} at log-probs of 0"
        raise PluginError(at_loss(algorithm, f"returned the terms {names}"))
    shares = [
        (term.values * term.weights).sum() / totals[name].clamp(min=1e-12)
        for name, term in output.terms.items()
    ]
    return torch.stack(shares).sum()
