"""The logistic loss with label smoothing."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import logsigmoid


def smoothed_logistic(margins: Tensor, smoothing: float) -> Tensor:
    """-(1 - eps) log sigmoid(z) - eps log sigmoid(-z): the cross-entropy to the label 1 - eps.

    margins: z, any shape, which is also the result's; smoothing: eps.
    """
    return -(1.0 - smoothing) * logsigmoid(margins) - smoothing * logsigmoid(-margins)
