"""A sum of pairwise losses, each with its own weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from prefrun_pairwise.dpo import LOSSES, PairKnobs
from prefrun_pairwise.pairs import Pairs


def pair_terms(
    losses: Sequence[tuple[str, float]],
    pairs: Pairs,
    knobs: PairKnobs,
    pair_weights: Tensor | None = None,
) -> list[tuple[Tensor, Tensor]]:
    """Values and weights of each loss of a mixture (MPO, arXiv 2411.10442).

    The total is the sum over losses of sum(values * weights) / sum(weights).
    losses: (key of LOSSES, coefficient that scales its values); pair_weights: [P] of WPO, which
    scale the values and not the weights, so that they change how much the whole batch pulls.
    Returns one (values [P], weights [P]) per loss: weights are 1, or |y_c| for `sft`.
    """
    terms = []
    for name, coefficient in losses:
        values = coefficient * LOSSES[name](pairs, knobs)
        if pair_weights is not None:
            values = values * pair_weights
        weights = pairs.chosen_lengths.to(values) if name == "sft" else torch.ones_like(values)
        terms.append((values, weights))
    return terms
