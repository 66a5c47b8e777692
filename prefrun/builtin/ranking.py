"""Ranking accuracy: does a model give the better answer the higher likelihood?

Chen et al. 2024, "Preference Learning Algorithms Do Not Learn Preference Rankings"
(arXiv:2405.19534). All log-probs are natural logarithms and finite. Ranks are competition ranks:
1 is best, ties share the smallest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations


def token_probabilities(sums: Sequence[float], lengths: Sequence[int]) -> list[float]:
    """Geometric mean of each answer's token probabilities, exp(log pi(y|x) / |y|).

    SUMS are log pi(y|x), LENGTHS the numbers of tokens |y|, at least 1.
    """
    return [math.exp(total / length) for total, length in zip(sums, lengths, strict=True)]


def ranks_correctly(
    scores: Sequence[float],
    ranks: Sequence[int],
    *,
    strict: bool = False,
    tie_tolerance: float = 0.0,
) -> bool:
    """Whether SCORES, higher is likelier, order the answers exactly as RANKS do (definition 2.3).

    Two answers: the better one needs a score at least as high; with STRICT, as in the paper's code,
    a higher one. More answers: the whole order must match, so an equal score is always wrong.
    Answers of equal rank need scores less than TIE_TOLERANCE apart (or equal ones), on the scale
    of SCORES.
    """
    strict = strict or len(scores) > 2
    for better, worse, tied in _pairs(scores, ranks):
        gap = better - worse
        if tied:
            if gap != 0 and abs(gap) >= tie_tolerance:
                return False
        elif gap < 0 or (strict and gap == 0):
            return False
    return True


def pairwise_accuracy(
    scores: Sequence[float], ranks: Sequence[int], tie_credit: float
) -> float | None:
    """Share of the pairs of different rank that SCORES order as RANKS do.

    A pair of equal scores counts TIE_CREDIT, 0 to 1. None where all ranks are equal.
    """
    credits = [
        1.0 if better > worse else tie_credit if better == worse else 0.0
        for better, worse, tied in _pairs(scores, ranks)
        if not tied
    ]
    return sum(credits) / len(credits) if credits else None


def _pairs(scores: Sequence[float], ranks: Sequence[int]) -> Iterator[tuple[float, float, bool]]:
    """Yield (score of the better-ranked answer, of the other, whether their ranks are equal)."""
    for (score, rank), (other_score, other_rank) in combinations(
        zip(scores, ranks, strict=True), 2
    ):
        if rank <= other_rank:
            yield score, other_score, rank == other_rank
        else:
            yield other_score, score, False


def idealized_log_ratio(
    alpha: float, reference_log_ratio: float, beta: float, eps: float = 0.001
) -> float:
    """log pi*(y1|x) / pi*(y2|x) of a perfectly optimised RLHF or DPO policy (theorem 3.1).

    ALPHA is the share of raters who prefer y1, clipped to EPS .. 1-EPS; REFERENCE_LOG_RATIO is
    log pi_ref(y1|x) / pi_ref(y2|x).
    """
    alpha = min(max(alpha, eps), 1 - eps)
    return reference_log_ratio + (math.log(alpha) - math.log1p(-alpha)) / beta


def agrees_with_majority(log_ratio: float, alpha: float) -> bool:
    """Whether LOG_RATIO of y1 over y2 has the side that more than half of the raters took.

    The mean over examples, at `idealized_log_ratio`, is the idealized ranking accuracy.
    """
    return log_ratio > 0 if alpha > 0.5 else log_ratio < 0 if alpha < 0.5 else log_ratio == 0


def loss_threshold(reference_log_ratio: float, beta: float) -> float:
    """The DPO loss at or below which a pair is ranked correctly, and above which not (theorem 4.1).

    REFERENCE_LOG_RATIO is c = log pi_ref(y_l|x) / pi_ref(y_w|x): positive where the reference is
    wrong. The smaller the threshold, the harder the pair.
    """
    return softplus(-beta * reference_log_ratio)


def dpo_loss(policy_log_ratio: float, reference_log_ratio: float, beta: float) -> float:
    """DPO loss of a pair from log pi(y_w|x) / pi(y_l|x) and c as in `loss_threshold`."""
    return softplus(-beta * (policy_log_ratio + reference_log_ratio))


def flip(before: bool, after: bool) -> str:
    """Name what training did to a pair, such as 'incorrect_to_correct' (section 4)."""
    words = {True: "correct", False: "incorrect"}
    return f"{words[before]}_to_{words[after]}"


def softplus(x: float) -> float:
    """log(1 + exp(x)), exact for large |x|."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))
