"""The base losses that come with LCPO: L(w > l) of pairs, one value per pair.

Each takes the two sides of P pairs; L(l > w) is the same function with the sides exchanged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid


@dataclass(frozen=True, slots=True)
class Side:
    """The preferred, or the other, answers of P pairs."""

    policy: Tensor
    """[P] log pi(y|x), a sum over tokens."""
    reference: Tensor | None
    """[P] the same of the reference; None where the loss needs none."""
    length: Tensor
    """[P] number of tokens, at least 1."""

    @property
    def ratio(self) -> Tensor:
        """[P] log pi(y|x) - log pi_ref(y|x)."""
        assert self.reference is not None
        return self.policy - self.reference

    @property
    def mean(self) -> Tensor:
        """[P] log pi(y|x) / |y|."""
        return self.policy / self.length


def dpo(winner: Side, loser: Side, *, beta: float = 0.1) -> Tensor:
    """-log sigmoid(beta (h_w - h_l)), h = log-ratio: [P]. Source: DPO (arXiv 2305.18290), Eq. 7."""
    return -logsigmoid(beta * (winner.ratio - loser.ratio))


def ipo(winner: Side, loser: Side, *, tau: float = 0.1, average: bool = True) -> Tensor:
    """(d - 1 / (2 tau))^2, d = h_w - h_l: [P].

    average: divide each log-ratio by its length (TRL); False is the paper's sum, which saturates
    the posterior at once. Source: IPO (arXiv 2310.12036), Eq. 17.
    """
    ratios = [side.ratio / side.length if average else side.ratio for side in (winner, loser)]
    return (ratios[0] - ratios[1] - 1.0 / (2.0 * tau)).square()


def simpo(winner: Side, loser: Side, *, beta: float = 2.0, gamma: float = 1.0) -> Tensor:
    """-log sigmoid(beta (log pi_w / |w| - log pi_l / |l|) - gamma): [P].

    gamma: the margin itself; papers also quote gamma / beta. Source: SimPO (arXiv 2405.14734).
    """
    return -logsigmoid(beta * (winner.mean - loser.mean) - gamma)


def cpo(winner: Side, loser: Side, *, beta: float = 0.1, nll_weight: float = 1.0) -> Tensor:
    """-log sigmoid(beta (log pi_w - log pi_l)) - nll_weight log pi_w / |w|: [P].

    Source: CPO (arXiv 2401.08417).
    """
    preference = -logsigmoid(beta * (winner.policy - loser.policy))
    return preference - nll_weight * winner.mean


BASES: dict[str, Callable[..., Tensor]] = {"dpo": dpo, "ipo": ipo, "simpo": simpo, "cpo": cpo}
NEED_REFERENCE = frozenset({"dpo", "ipo"})
