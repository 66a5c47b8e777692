"""Computes the numbers of a golden-vector case of `ranking_accuracy.json` from its inputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from prefrun.builtin.ranking import (
    agrees_with_majority,
    dpo_loss,
    idealized_log_ratio,
    loss_threshold,
    ranks_correctly,
    softplus,
    token_probabilities,
)

SHIPPED_TIE = 0.05
"""The paper's code calls a likelihood ratio of 0.95 .. 1.05 a tie."""


def compute(inputs: dict[str, Any], hyper: dict[str, Any], name: str) -> dict[str, Any]:
    """Every expected key of one case.

    inputs: one of four sets of keys, which tells what is computed; hyper: ties_allowed and
    tie_threshold, or beta and eps, or beta, or beta and gamma; name: of the case, unused.
    """
    kinds: dict[str, Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]] = {
        "response_logps": _ranking,
        "alpha_1": _idealized,
        "ref_logratio_l_over_w": _threshold,
        "policy_chosen_logps": _dpo_gamma,
    }
    return next(kind for key, kind in kinds.items() if key in inputs)(inputs, hyper)


def _ranking(inputs: dict[str, Any], hyper: dict[str, Any]) -> dict[str, Any]:
    """Ranking accuracy as the paper's code counts it: an equal likelihood is wrong."""
    sums, ranks = inputs["response_logps"], inputs["human_ranks"]
    lengths = inputs["response_num_tokens"]
    scores = {
        "sum_logprob": sums,
        "length_normalized": [token_probabilities(*row) for row in zip(sums, lengths, strict=True)],
    }
    tolerance = hyper["tie_threshold"] if hyper["ties_allowed"] else 0.0
    computed: dict[str, Any] = {}
    for key, rows in scores.items():
        correct = [
            ranks_correctly(row, human, strict=True, tie_tolerance=tolerance)
            for row, human in zip(rows, ranks, strict=True)
        ]
        computed |= _counted(key, "accuracy", correct)
    return computed


def _idealized(inputs: dict[str, Any], hyper: dict[str, Any]) -> dict[str, Any]:
    """Idealized ranking accuracy: the paper's formula, and what its code computes instead."""
    first, second = inputs["ref_logp_1"], inputs["ref_logp_2"]
    lengths = zip(inputs["num_tokens_1"], inputs["num_tokens_2"], strict=True)
    difference = [one - two for one, two in zip(first, second, strict=True)]
    normalized = [
        one / n - two / m for one, two, (n, m) in zip(first, second, lengths, strict=True)
    ]
    shipped = {  # without normalisation the code divides log-probs instead of subtracting them
        "code.length_normalized": [math.exp(ratio) for ratio in normalized],
        "code.nonnormalized_AS_SHIPPED": [
            one / two for one, two in zip(first, second, strict=True)
        ],
    }
    alphas, beta, eps = inputs["alpha_1"], hyper["beta"], hyper["eps"]
    computed: dict[str, Any] = {}
    for key, ratios in (
        ("paper.length_normalized", normalized),
        ("paper.sum_logprob", difference),
    ):
        log_ratios = [
            idealized_log_ratio(alpha, ratio, beta, eps)
            for alpha, ratio in zip(alphas, ratios, strict=True)
        ]
        correct = list(map(agrees_with_majority, log_ratios, alphas))
        computed[f"{key}.log_ratio"] = log_ratios
        computed |= _counted(key, "idealized_accuracy", correct)
    for key, ratios in shipped.items():
        odds = [
            max(one, eps) / max(two, eps)
            for one, two in zip(alphas, inputs["alpha_2"], strict=True)
        ]
        posterior = [ratio * odd ** (1 / beta) for ratio, odd in zip(ratios, odds, strict=True)]
        correct = [
            agrees_with_majority(0.0 if abs(ratio - 1) <= SHIPPED_TIE else math.log(ratio), alpha)
            for ratio, alpha in zip(posterior, alphas, strict=True)
        ]
        computed[f"{key}.posterior_ratio"] = posterior
        computed |= _counted(key, "idealized_accuracy", correct)
    return computed


def _counted(key: str, metric: str, correct: Sequence[bool]) -> dict[str, Any]:
    return {
        f"{key}.{metric}": sum(correct) / len(correct),
        f"{key}.per_example": [int(one) for one in correct],
    }


def _threshold(inputs: dict[str, Any], hyper: dict[str, Any]) -> dict[str, Any]:
    """Both sides of theorem 4.1."""
    beta = hyper["beta"]
    references, policies = inputs["ref_logratio_l_over_w"], inputs["policy_logratio_w_over_l"]
    thresholds = [loss_threshold(reference, beta) for reference in references]
    losses = [dpo_loss(*ratios, beta) for ratios in zip(policies, references, strict=True)]
    return {
        "loss_threshold": thresholds,
        "dpo_loss": losses,
        "ranking_correct": [int(ranks_correctly([ratio, 0.0], [1, 2])) for ratio in policies],
        "loss_le_threshold": [
            int(loss <= threshold) for loss, threshold in zip(losses, thresholds, strict=True)
        ],
    }


def _dpo_gamma(inputs: dict[str, Any], hyper: dict[str, Any]) -> dict[str, Any]:
    """DPO with the reference's log-ratio times gamma, and its derivative -beta sigmoid(-z)."""
    beta, gamma = hyper["beta"], hyper["gamma"]
    columns = ("policy_chosen_logps", "policy_rejected_logps", "ref_chosen_logps")
    rows = zip(*(inputs[key] for key in (*columns, "ref_rejected_logps")), strict=True)
    margins = [beta * ((pw - pl) - gamma * (rw - rl)) for pw, pl, rw, rl in rows]
    losses = [softplus(-margin) for margin in margins]
    return {
        "loss.per_example": losses,
        "loss.mean": sum(losses) / len(losses),
        "grad_policy_chosen_logps(per_example_loss)": [
            -beta / (1 + math.exp(margin)) for margin in margins
        ],
    }
