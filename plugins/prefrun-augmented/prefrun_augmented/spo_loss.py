"""The degree classifier's loss (SPO, Li et al. 2024, arXiv 2409.17791), a reconstruction."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy


def degree_values(logits: Tensor, degrees: Tensor) -> Tensor:
    """Cross-entropy of each text's degree.

    logits: [N, M]; degrees: [N] int64, 0 for the whole answer, M - 1 for the poorest. Returns [N].
    """
    return cross_entropy(logits, degrees, reduction="none")
