"""Numbers and metric names as a reader sees them."""

from __future__ import annotations

from math import isclose

MISSING = "-"

UNITS = {
    "ranking_accuracy": "fraction of prompts",
    "ranking_accuracy_normalized": "fraction of prompts",
    "pairwise_ranking_accuracy": "fraction of pairs",
    "pairwise_ranking_accuracy_normalized": "fraction of pairs",
    "implied_reward_accuracy": "fraction of pairs",
    "win_rate": "fraction of prompts",
    "kl": "nats per answer",
    "reward": "score",
    "response_length": "tokens",
    "rewards/accuracies": "fraction of pairs",
    "logps": "nats",
    "grad_norm": "L2",
}
"""Unit by metric name, for the axes of plots; others are shown without one."""
WORDS = {
    "kl": "KL to the starting model",
    "rewards/margins": "implied reward margin",
    "rewards/accuracies": "implied reward accuracy",
    "logps": "log-probability",
}
"""Words for metrics whose name says too little."""


def format_number(value: float | None) -> str:
    """Return VALUE with about four significant digits, or a dash where there is none."""
    if value is None:
        return MISSING
    text = format(value, _format_of(value))
    return text.removeprefix("-") if float(text) == 0 else text


def format_mean(mean: float, error: float) -> str:
    """Return 'MEAN ± ERROR', both with the decimals of MEAN."""
    return f"{format_number(mean)} ± {format(error, _format_of(mean))}"


def _format_of(value: float) -> str:
    size = abs(value)
    if size != 0 and (size < 0.0005 or size >= 1e5):
        return ".2e"
    return f".{3 if size < 10 else 2 if size < 100 else 1}f"


def format_interval(low: float | None, high: float | None) -> str:
    """Return 'LOW to HIGH', or an empty string where there is no interval."""
    if low is None or high is None:
        return ""
    return f"{format_number(low)} to {format_number(high)}"


def format_change(before: float | None, after: float | None) -> str:
    """Return AFTER - BEFORE with its sign, or an empty string where one is missing."""
    if before is None or after is None:
        return ""
    equal = isclose(before, after, rel_tol=1e-9)  # a rounding error is no change
    change = format_number(0.0 if equal else after - before)
    return change if change.startswith("-") else f"+{change}"


def metric_words(name: str) -> str:
    """Return the metric's NAME in words."""
    return WORDS.get(name) or name.replace("_", " ").replace("/", ": ")
