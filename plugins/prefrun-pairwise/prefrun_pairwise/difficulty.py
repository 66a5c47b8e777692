"""How easy a pair is, and what that does to its beta (DA-DPO, arXiv 2601.00623)."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist, fmean, pstdev

from torch import Tensor

ABS, RELU, INVERSE = "abs", "relu", "inverse"


def vote(gaps: Sequence[Sequence[float]]) -> list[float]:
    """Distribution-aware voting: one number in [0, 1] per pair, large = easy.

    gaps: per estimator m, its gaps g_m = score(chosen) - score(rejected) of all pairs.

        u_m = Phi((g_m - mean g_m) / std g_m)        v_m = share of the pairs with g_m > 0
        d = sum_m v_m u_m / sum_m v_m

    An estimator whose gaps are all equal has u = 0.5; estimators that are all never right count
    equally. The paper names the idea, the formula is a reconstruction.
    """
    shares = [fmean(gap > 0 for gap in each) for each in gaps]
    if not any(shares):
        shares = [1.0] * len(gaps)
    scaled = [_scaled(each) for each in gaps]
    total = sum(shares)
    return [
        sum(share * value for share, value in zip(shares, values, strict=True)) / total
        for values in zip(*scaled, strict=True)
    ]


def _scaled(gaps: Sequence[float]) -> list[float]:
    spread = pstdev(gaps)
    if spread == 0:
        return [0.5] * len(gaps)
    normal = NormalDist(fmean(gaps), spread)
    return [normal.cdf(gap) for gap in gaps]


def beta_weights(chosen: Tensor, rejected: Tensor, db_alpha: float, mode: str = ABS) -> Tensor:
    """(g + 1) db_alpha, which multiplies a pair's beta: [P].

    chosen, rejected: [P] scores in [0, 1]; their gap g is |c - r| (abs, the official code),
    max(0, c - r) (relu). mode=inverse, an ablation: db_alpha / (|c - r| + 1). Source: DA-DPO
    (arXiv 2601.00623), official code.
    """
    gap = chosen - rejected
    factor = (gap.clamp(min=0.0) if mode == RELU else gap.abs()) + 1.0
    return db_alpha / factor if mode == INVERSE else db_alpha * factor
