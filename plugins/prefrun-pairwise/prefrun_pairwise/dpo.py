"""DPO and its variants as functions of pairs: one value per pair, no reduction.

Symbols: h_c, h_r = log-ratios log pi - log pi_ref of the chosen and the rejected answer; f = the
f-divergence's score, f(h) = h by default; d = f(h_c) - f(h_r); LS = log sigmoid; S = sigmoid;
eps = label_smoothing. Every loss takes `Pairs` of P pairs and `PairKnobs` and returns [P].
Definitions as in TRL 1.16, except cDPO, DPO-gamma and Poly-DPO, which it does not have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from prefrun_pairwise.divergence import DIVERGENCES
from prefrun_pairwise.logistic import poly_logistic, smoothed_logistic
from prefrun_pairwise.pairs import Pairs


@dataclass(frozen=True, slots=True)
class PairKnobs:
    """The numbers in the formulas; each loss reads those its formula names."""

    beta: float | Tensor = 0.1
    """Strength of the pull to the reference, above 0; [P] where the pairs have their own."""
    label_smoothing: float = 0.0
    """eps: the assumed share of flipped labels, in [0, 0.5)."""
    gamma: float = 1.0
    """dpo_gamma: how much the reference counts; 1 is DPO, 0 is reference-free."""
    ipo_normalize: str = "token"
    """ipo: token divides each log-ratio by its length (TRL); sum does not (the paper's Eq. 17)."""
    discopop_tau: float = 0.05
    """discopop: temperature, in (0, 1]."""
    poly_alpha: float = 0.0
    """poly: weight of its term, at least -1; 0 is DPO."""
    divergence: str = "reverse_kl"
    """A key of divergence.DIVERGENCES."""
    divergence_alpha: float = 0.5
    """alpha of alpha_divergence."""


def divergence_scores(pairs: Pairs, knobs: PairKnobs) -> tuple[Tensor, Tensor]:
    """f(h_c) and f(h_r): [P] each."""
    score = DIVERGENCES[knobs.divergence]
    alpha = knobs.divergence_alpha
    return score(pairs.chosen_ratios, alpha), score(pairs.rejected_ratios, alpha)


def logits(pairs: Pairs, knobs: PairKnobs) -> Tensor:
    """beta d: [P]."""
    chosen, rejected = divergence_scores(pairs, knobs)
    return knobs.beta * (chosen - rejected)


def normalized_margins(pairs: Pairs, knobs: PairKnobs) -> Tensor:
    """f(h_c) / |y_c| - f(h_r) / |y_r|, lengths at least 1: [P]."""
    chosen, rejected = divergence_scores(pairs, knobs)
    lengths = pairs.chosen_lengths.clamp(min=1), pairs.rejected_lengths.clamp(min=1)
    return chosen / lengths[0] - rejected / lengths[1]


def sigmoid(pairs: Pairs, knobs: PairKnobs) -> Tensor:
    """-LS(beta d). Source: DPO (arXiv 2305.18290), Eq. 7."""
    return -logsigmoid(logits(pairs, knobs))


def sigmoid_norm(pairs: Pairs, knobs: PairKnobs) -> Tensor:
    """-LS(beta (f(h_c)/|y_c| - f(h_r)/|y_r|)). Source: Tulu 3 (arXiv 2411.15124)."""
    return -logsigmoid(knobs.beta * normalized_margins(pairs, knobs))


def poly(pairs: Pairs, knobs: PairKnobs) -> Tensor:
    """-LS(beta d) + alpha (1 - S(beta d)). Source: Poly-DPO (arXiv 2604.24953)."""
    return poly_logistic(logits(pairs, knobs), knobs.poly_alpha)


def dpo_gamma(pairs: Pairs, knobs: PairKnobs) -> Tensor:
    """-LS(beta [log pi(y_c) - log pi(y_r) - gamma (log pi_ref(y_c) - log pi_ref(y_r))]).

    Source: Preference Learning Algorithms Do Not Learn Preference Rankings (arXiv 2405.19534).
    """
    policy = pairs.chosen_logps - pairs.rejected_logps
    reference = pairs.ref_chosen_logps - pairs.ref_rejected_logps
    return -logsigmoid(knobs.beta * (policy - knobs.gamma * reference))


def cdpo(pairs: Pairs, knobs: PairKnobs) -> Tensor:
    """-(1 - eps) LS(beta d) - eps LS(-beta d): conservative DPO.

    Source: Mitchell, "A note on DPO with noisy preferences" (2023); not in TRL 1.16.
    """
    return smoothed_logistic(logits(pairs, knobs), knobs.label_smoothing)


def robust(pairs: Pairs, knobs: PairKnobs) -> Tensor:
    """[-(1 - eps) LS(beta d) + eps LS(-beta d)] / (1 - 2 eps): unbiased under flipped labels.

    Source: robust DPO (arXiv 2403.00409).
    """
    margins, smoothing = logits(pairs, knobs), knobs.label_smoothing
    clean, flipped = -logsigmoid(margins), -logsigmoid(-margins)
    return ((1.0 - smoothing) * clean - smoothing * flipped) / (1.0 - 2.0 * smoothing)


def hinge(pairs: Pairs, knobs: PairKnobs) -> Tensor:
    """max(0, 1 - beta d). Source: SLiC-HF (arXiv 2305.10425) as normalised by RSO (2309.06657)."""
    return torch.relu(1.0 - logits(pairs, knobs))


def ipo(pairs: Pairs, knobs: PairKnobs) -> Tensor:
    """(m - 1 / (2 beta))^2, m = f(h_c)/|y_c| - f(h_r)/|y_r| by token, or d by sum.

    With ipo_normalize=token, beta = 0.1 asks for a margin of 5 nats per token.
    Source: IPO (arXiv 2310.12036), Eq. 17 (summed); TRL divides by the lengths.
    """
    if knobs.ipo_normalize == "token":
        margins = normalized_margins(pairs, knobs)
    else:
        chosen, rejected = divergence_scores(pairs, knobs)
        margins = chosen - rejected
    return (margins - 1.0 / (2.0 * knobs.beta)).square()


def exo_pair(pairs: Pairs, knobs: PairKnobs) -> Tensor:
    """q (log q - log(1 - eps)) + (1 - q) (log(1 - q) - log eps), q = S(beta d), eps above 0.

    Source: EXO (arXiv 2402.00856), Eq. 16.
    """
    margins = logits(pairs, knobs)
    smoothing = torch.tensor(knobs.label_smoothing, dtype=margins.dtype, device=margins.device)
    kept = torch.sigmoid(margins) * (logsigmoid(margins) - torch.log1p(-smoothing))
    flipped = torch.sigmoid(-margins) * (logsigmoid(-margins) - torch.log(smoothing))
    return kept + flipped


def discopop(pairs: Pairs, knobs: PairKnobs) -> Tensor:
    """-LS(z) (1 - m) + exp(-z) m, z = beta d, m = S(z / tau).

    exp(-z) m is computed as exp(-z + LS(z / tau)), which stays finite for tau <= 1.
    Source: DiscoPOP (arXiv 2406.08414), Eq. 5.
    """
    margins = logits(pairs, knobs)
    modulation = margins / knobs.discopop_tau
    logistic = -logsigmoid(margins) * torch.sigmoid(-modulation)
    return logistic + torch.exp(logsigmoid(modulation) - margins)


def nca_pair(pairs: Pairs, knobs: PairKnobs) -> Tensor:
    """-LS(beta h_c) - LS(-beta h_c) / 2 - LS(-beta h_r) / 2. Source: NCA (arXiv 2402.05369)."""
    chosen, rejected = knobs.beta * pairs.chosen_ratios, knobs.beta * pairs.rejected_ratios
    return -logsigmoid(chosen) - 0.5 * logsigmoid(-chosen) - 0.5 * logsigmoid(-rejected)


def bco_pair(pairs: Pairs, knobs: PairKnobs) -> Tensor:
    """-LS(beta h_c) - LS(-beta h_r). Source: BCO (arXiv 2404.04656), without its running mean."""
    chosen, rejected = knobs.beta * pairs.chosen_ratios, knobs.beta * pairs.rejected_ratios
    return -logsigmoid(chosen) - logsigmoid(-rejected)


def sppo_hard(pairs: Pairs, knobs: PairKnobs) -> Tensor:
    """(h_c - 1 / (2 beta))^2 + (h_r + 1 / (2 beta))^2.

    Source: SPPO (arXiv 2405.00675), Eq. 4.7 with win probabilities 1 and 0.
    """
    target = 0.5 / knobs.beta
    return (pairs.chosen_ratios - target).square() + (pairs.rejected_ratios + target).square()


def apo_zero(pairs: Pairs, knobs: PairKnobs) -> Tensor:
    """1 - S(beta h_c) + S(beta h_r): when the chosen answers beat the policy's own.

    Source: APO (arXiv 2408.06266), Eq. 7.
    """
    chosen, rejected = knobs.beta * pairs.chosen_ratios, knobs.beta * pairs.rejected_ratios
    return torch.sigmoid(-chosen) + torch.sigmoid(rejected)


def apo_down(pairs: Pairs, knobs: PairKnobs) -> Tensor:
    """S(beta h_c) + 1 - S(beta (h_c - h_r)): when the policy's own beat the chosen answers.

    Source: APO (arXiv 2408.06266), Eq. 8.
    """
    chosen, rejected = knobs.beta * pairs.chosen_ratios, knobs.beta * pairs.rejected_ratios
    return torch.sigmoid(chosen) + torch.sigmoid(rejected - chosen)


def aot(pairs: Pairs, knobs: PairKnobs) -> Tensor:
    """-(1 - eps) LS(beta u) - eps LS(-beta u), u = sorted policy - sorted reference margins.

    Both sorts run over the P pairs, so value k belongs to the k-th quantile and not to pair k, and
    the loss depends on the (micro-)batch. Source: AOT (arXiv 2406.05882), paired.
    """
    policy = (pairs.chosen_logps - pairs.rejected_logps).sort().values
    reference = (pairs.ref_chosen_logps - pairs.ref_rejected_logps).sort().values
    return smoothed_logistic(knobs.beta * (policy - reference), knobs.label_smoothing)


def aot_unpaired(pairs: Pairs, knobs: PairKnobs) -> Tensor:
    """As `aot` with u = sorted h_c - sorted h_r. Source: AOT (arXiv 2406.05882), unpaired."""
    gaps = pairs.chosen_ratios.sort().values - pairs.rejected_ratios.sort().values
    return smoothed_logistic(knobs.beta * gaps, knobs.label_smoothing)


def sft(pairs: Pairs, knobs: PairKnobs) -> Tensor:
    """-log pi(y_c|x) / |y_c|: to be weighted by |y_c|, see `pair_terms`."""
    del knobs
    return pairs.chosen_nll


LOSSES: dict[str, Callable[[Pairs, PairKnobs], Tensor]] = {
    function.__name__: function
    for function in (
        sigmoid,
        sigmoid_norm,
        poly,
        dpo_gamma,
        cdpo,
        robust,
        hinge,
        ipo,
        exo_pair,
        discopop,
        nca_pair,
        bco_pair,
        sppo_hard,
        apo_zero,
        apo_down,
        aot,
        aot_unpaired,
        sft,
    )
}
