"""CPO, SimPO and AlphaPO: pairwise losses without a reference. One value per pair, no reduction.

chosen_logps, rejected_logps: [P] log-probs of the policy; r_c, r_r their rewards (`alpha_rewards`);
LS = log sigmoid. The losses in AVERAGED take means over tokens (`tokens.mean_logps`), the others
sums. CPO adds cpo_alpha times the token NLL of the chosen answers (`tokens.token_nll`), SimPO not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from prefrun_pairwise.divergence import bounded_expm1
from prefrun_pairwise.logistic import smoothed_logistic


@dataclass(frozen=True, slots=True)
class CpoKnobs:
    """The numbers in the formulas."""

    beta: float = 0.1
    """Scale of the rewards, above 0."""
    label_smoothing: float = 0.0
    """eps: the assumed share of flipped labels, in [0, 0.5): sigmoid and simpo."""
    simpo_gamma: float = 0.5
    """simpo: the margin gamma itself; the SimPO paper quotes gamma / beta."""
    alpha: float = 0.0
    """AlphaPO's shape of the reward; 0 is the log-prob."""


def alpha_rewards(logps: Tensor, alpha: float) -> Tensor:
    """(1 - p^-alpha) / alpha with p = exp(logps), and its limit log p at alpha = 0: [P].

    Meant for token-averaged log-probs; the exponent is cut as in `divergence`.
    Source: AlphaPO (arXiv 2501.03884).
    """
    return logps if alpha == 0.0 else -bounded_expm1(-alpha * logps) / alpha


def sigmoid(margins: Tensor, knobs: CpoKnobs) -> Tensor:
    """-(1 - eps) LS(beta m) - eps LS(-beta m), m = r_c - r_r. Source: CPO (arXiv 2401.08417)."""
    return smoothed_logistic(knobs.beta * margins, knobs.label_smoothing)


def hinge(margins: Tensor, knobs: CpoKnobs) -> Tensor:
    """max(0, 1 - beta m). Source: SLiC-HF (arXiv 2305.10425), as in TRL's CPO."""
    return torch.relu(1.0 - knobs.beta * margins)


def ipo(margins: Tensor, knobs: CpoKnobs) -> Tensor:
    """(m - 1 / (2 beta))^2. Source: IPO (arXiv 2310.12036), Eq. 17, as in TRL's CPO."""
    return (margins - 1.0 / (2.0 * knobs.beta)).square()


def simpo(margins: Tensor, knobs: CpoKnobs) -> Tensor:
    """-(1 - eps) LS(beta m - gamma) - eps LS(gamma - beta m). Source: SimPO (arXiv 2405.14734)."""
    return smoothed_logistic(knobs.beta * margins - knobs.simpo_gamma, knobs.label_smoothing)


LOSSES: dict[str, Callable[[Tensor, CpoKnobs], Tensor]] = {
    "sigmoid": sigmoid,
    "hinge": hinge,
    "ipo": ipo,
    "simpo": simpo,
}

AVERAGED = frozenset({"ipo", "simpo"})


def cpo_values(loss: str, chosen_logps: Tensor, rejected_logps: Tensor, knobs: CpoKnobs) -> Tensor:
    """The loss of each pair. loss: a key of LOSSES. Returns [P]."""
    chosen = alpha_rewards(chosen_logps, knobs.alpha)
    rejected = alpha_rewards(rejected_logps, knobs.alpha)
    return LOSSES[loss](chosen - rejected, knobs)
