"""The logistic loss with label smoothing, and with a polynomial term."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


def smoothed_logistic(margins: Tensor, smoothing: float) -> Tensor:
    """-(1 - eps) log sigmoid(z) - eps log sigmoid(-z): the cross-entropy to the label 1 - eps.

    margins: z, any shape, which is also the result's; smoothing: eps.
    """
    return -(1.0 - smoothing) * logsigmoid(margins) - smoothing * logsigmoid(-margins)


def poly_logistic(logits: Tensor, alpha: float) -> Tensor:
    """-log p + alpha (1 - p), p = sigmoid(z): the gradient by z is -(1 - p) (1 + alpha p).

    The series -log p = sum_j (1 - p)^j / j with 1 + alpha as the coefficient of its first term.
    logits: z, any shape, which is also the result's; alpha: at least -1, else the gradient changes
    its sign. Source: Poly-DPO (arXiv 2604.24953), after PolyLoss (arXiv 2204.12511), Poly-1.
    """
    return -logsigmoid(logits) + alpha * torch.sigmoid(-logits)
