"""MAPL's two further terms (Sun et al. 2025, arXiv 2505.12845), a reconstruction."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import logsigmoid


def intra_values(plus: Tensor, minus: Tensor) -> Tensor:
    """-log sigmoid(r(x+, y) - r(x-, y)): one answer under a prompt it fits and one it does not.

    plus, minus: [N] rewards. Returns [N].
    """
    return -logsigmoid(plus - minus)


def inter_values(extended: Tensor, base: Tensor, sign: Tensor, detach: bool = False) -> Tensor:
    """-log sigmoid(s ([r(x2, y_w) - r(x2, y_l)] - [r(x, y_w) - r(x, y_l)])).

    extended, base: [N] margins under the extended and the pair's own prompt; sign: [N], 1 where the
    better answer fits the extension and the worse does not, -1 the other way round. detach: no
    gradient through the base margin, which the term else lowers. Returns [N].
    """
    return -logsigmoid(sign * (extended - (base.detach() if detach else base)))
