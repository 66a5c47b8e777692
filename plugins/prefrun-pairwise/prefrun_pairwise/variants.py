"""Algorithms that are algo=dpo with a loss chosen and its own keys."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from prefrun_pairwise.algo import Dpo
from prefrun_pairwise.dpo import PairKnobs, sigmoid
from prefrun_pairwise.pairs import Pairs
from prefrun_pairwise.variant_configs import VariantConfig

SYMBOLS = """
  h_c, h_r = log pi - log pi_ref of the chosen and the rejected answer (sums over tokens)
  |y_c|, |y_r| = their tokens      d = h_c - h_r      LS = log sigmoid      S = sigmoid
"""


class Variant(Dpo):
    """A choice of algo=dpo."""

    golden: ClassVar[str | None] = None
    vectors: ClassVar[str | None] = None

    def __init__(self, config: VariantConfig) -> None:
        super().__init__(config.dpo())


class Ipo(Variant):
    """The square distance of a margin to its target."""

    paper: ClassVar[str] = "Azar et al. 2023, arXiv 2310.12036"
    formula: ClassVar[str] = "(h_c/|y_c| - h_r/|y_r| - 1/(2 beta))^2, or without the lengths"
    verdict: ClassVar[str] = (
        "No claim tested; with eight variants on one world: 3.47 to 4.44 averaged, 4.38 summed."
    )
    golden = "prefrun_pairwise.golden:ipo_cases"
    vectors = "insights_variants.json"
    card = f"""
IPO: Identity Preference Optimization. Azar et al., arXiv 2310.12036, Eq. 17. Offline, pairs.
{SYMBOLS}
  normalize=token   (h_c/|y_c| - h_r/|y_r| - 1/(2 beta))^2     TRL, LLaMA-Factory
  normalize=sum     (d - 1/(2 beta))^2                         the paper, OpenRLHF

Same name, different maths: with beta 0.1 the target is a margin of 5 nats; per token it is out of
reach and the margin is pushed without end, summed it is soon met. CPO's loss
'ipo' has no reference.
"""


class Cdpo(Variant):
    """DPO with smoothed labels."""

    paper: ClassVar[str] = "Mitchell 2023, 'A note on DPO with noisy preferences'"
    formula: ClassVar[str] = "-(1-eps) LS(beta d) - eps LS(-beta d)"
    verdict: ClassVar[str] = ""
    golden = "prefrun_pairwise.golden:robust_cases"
    vectors = "insights_variants.json"
    card = f"""
cDPO: conservative DPO. Source: Mitchell 2023, 'A note on DPO with noisy preferences'. Offline,
pairs.
{SYMBOLS}  eps = label_smoothing

  unbiased=false   -(1-eps) LS(beta d) - eps LS(-beta d)
  unbiased=true    [-(1-eps) LS(beta d) + eps LS(-beta d)] / (1 - 2 eps)     robust DPO, 2403.00409

Same name, different maths: 'label smoothing of DPO' is the first in TRL up to 1.15 and OpenRLHF,
nothing at all in TRL 1.16 (its sigmoid ignores the key), and the second under the name robust. The
first draws the margin to log((1-eps)/eps)/beta, the second has no such optimum. The golden cases
are of the second; TRL has none of the first.
"""


class LdDpo(Variant):
    """DPO with the tokens beyond the shorter answer discounted."""

    paper: ClassVar[str] = "Liu et al. 2024, arXiv 2409.06411"
    formula: ClassVar[str] = "-LS(beta d), tokens beyond the shorter answer weighted by alpha"
    verdict: ClassVar[str] = ""
    card = f"""
LD-DPO: length-desensitized DPO. Liu et al., arXiv 2409.06411. Offline, pairs.
{SYMBOLS}
  -LS(beta d), log pi(y) = sum of the first m token log-probs + ld_alpha * sum of the rest,
  m = min(|y_c|, |y_r|)

ld_alpha=1 is DPO, 0 cuts both answers at the shorter one's length. Same name, different maths: TRL
weights the tokens of policy and reference (ld_reference=true), LLaMA-Factory only the policy's
(false), whose loss does not begin at ln 2.
"""


class DpoNorm(Variant):
    """DPO per token."""

    paper: ClassVar[str] = "Lambert et al. 2024 (Tulu 3), arXiv 2411.15124"
    formula: ClassVar[str] = "-LS(beta (h_c/|y_c| - h_r/|y_r|))"
    verdict: ClassVar[str] = (
        "No claim tested; with eight variants on one world: 3.47 to 4.34 in reward."
    )
    golden = "prefrun_pairwise.golden:sigmoid_norm_cases"
    vectors = "insights_variants.json"
    card = f"""
Length-normalised DPO. Lambert et al. (Tulu 3), arXiv 2411.15124; sigmoid_norm in TRL 1.16. Offline,
pairs.
{SYMBOLS}
  -LS(beta (h_c/|y_c| - h_r/|y_r|))

beta is per token: 5 as in the paper, while that of DPO is 0.1. An empty answer counts as one token.
Related: SimPO has the same averages without a reference, LD-DPO discounts only what exceeds the
shorter answer.
"""


class PolyDpo(Variant):
    """DPO with a polynomial term."""

    paper: ClassVar[str] = "Li et al. 2026 (ViPO), arXiv 2604.24953"
    formula: ClassVar[str] = "-log p + alpha (1 - p), p = S(beta d)"
    verdict: ClassVar[str] = (
        "Partly: with 20 % flipped labels accuracy rises with alpha (0.855 to 0.874, five seeds), "
        "with 40 % it does not."
    )
    golden = "prefrun_pairwise.method_golden:poly_dpo"
    vectors = "poly_dpo.json"
    card = f"""
Poly-DPO, from ViPO: Visual Preference Optimization at Scale. Li et al., arXiv 2604.24953. Offline,
pairs.
{SYMBOLS}
  -log p + alpha (1 - p),  p = S(beta d)          gradient by beta d: -(1-p) (1 + alpha p)

alpha > 0 for noisy or conflicting labels: pairs near the boundary dominate, and very wrong ones
count relatively less; alpha < 0 for too simple data; 0 is DPO. The paper has 8 for Pick-a-Pic and
about 0 for its own filtered data. Pitfalls: at first the gradient is 1 + alpha/2 times that of DPO,
so compare at matched learning rates or with normalize_init=true; the loss is not comparable across
alpha (`loss/dpo` is logged). It is defined for the sigmoid loss only; algo=dpo loss=poly mixes it
with others, algo=da_dpo loss=poly scales its beta.
"""

    def metrics(self, pairs: Pairs, knobs: PairKnobs) -> dict[str, Tensor]:
        """Add the loss of DPO itself."""
        with torch.no_grad():
            plain = sigmoid(pairs, knobs).mean()
        return super().metrics(pairs, knobs) | {"loss/dpo": plain}
