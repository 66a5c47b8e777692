"""From seconds to ratios: round by round, then the median."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from data import TokenCount, count_tokens, pairs_of
from plan import Plan

TOLERANCE = 2e-4
"""Losses of all methods may differ by this much; else nothing is reported."""
CHECKED_STEPS = 4

Seconds = Mapping[str, Sequence[float]]


class DifferentLossesError(RuntimeError):
    """The methods did not compute the same thing, so their times cannot be compared."""


def check_losses(losses: Seconds) -> float:
    """Return the largest gap between methods over the first steps. Raises DifferentLossesError."""
    firsts = {name: values[:CHECKED_STEPS] for name, values in losses.items()}
    gap = max(max(step) - min(step) for step in zip(*firsts.values(), strict=True))
    if not gap <= TOLERANCE:
        listed = "\n".join(
            f"  {name}: {', '.join(f'{value:.6f}' for value in values)}"
            for name, values in firsts.items()
        )
        raise DifferentLossesError(f"losses differ by {gap:.2g}, over {TOLERANCE}:\n{listed}")
    return gap


def ratio(seconds: Seconds, slow: str, fast: str) -> float | None:
    """Return the median over rounds of SLOW / FAST; None where one was not measured."""
    if slow not in seconds or fast not in seconds:
        return None
    return median(a / b for a, b in zip(seconds[slow], seconds[fast], strict=True))


def summarise(
    plan: Plan, name: str, seconds: Seconds, losses: Seconds, peaks: Mapping[str, float]
) -> dict[str, Any]:
    """Return the JSON object of one shape, the machine left out. Raises DifferentLossesError."""
    gap = check_losses(losses)
    timed = {method: values[plan.warm_up :] for method, values in seconds.items()}
    trl = min(
        (method for method in ("trl", "trl_one_batch") if method in timed),
        key=lambda method: median(timed[method]),
        default="trl",
    )
    tokens = count_tokens(plan.shape, plan.measured())
    target = plan.shape.target
    result = {
        "shape": name,
        "ratio_vs_trl": ratio(timed, trl, "packed_cold"),
        "ratio_vs_trl_cached": ratio(timed, trl, "packed"),
        "ratio_vs_list": ratio(timed, "list", "packed"),
        "ideal_ratio": tokens.branches / tokens.trie,
        "memory_ratio_vs_trl": _quotient(peaks, "packed_cold", trl),
        "trl_configuration": trl,
        "ratio_vs_trl_precomputed": ratio(timed, "trl_precomputed", "packed"),
        "ratio_vs_trl_one_batch": ratio(timed, "trl_one_batch", "packed_cold"),
        "ratio_vs_trl_one_batch_cached": ratio(timed, "trl_one_batch", "packed"),
        "memory_ratio_vs_trl_one_batch": _quotient(peaks, "packed_cold", "trl_one_batch"),
        "factors": factors(timed, trl, tokens),
        "target": {"cold": target.cold, "cached": target.cached} if target else None,
        "seconds": {method: median(values) for method, values in timed.items()},
        "peak_mib": dict(peaks),
        "tokens": {"pairs": tokens.pairs, "branches": tokens.branches, "trie": tokens.trie},
        "pairs_per_prompt": len(pairs_of(plan.shape, plan.examples()[0])),
        "loss_gap": gap,
        "rounds": plan.rounds,
        "batch": plan.batch,
        "seconds_of_rounds": {method: list(values) for method, values in timed.items()},
    }
    return rounded(result)


def factors(timed: Seconds, trl: str, tokens: TokenCount) -> dict[str, float | None]:
    """Split TRL / packed (reference cached) into measured factors; their product is the whole.

    reference: TRL without its reference model's forward pass. head: the same forward passes with
    the head at scored positions only, and prefrun's trainer. answers: one row per answer instead of
    one per pair member. sharing: each shared token once. `answers_in_tokens` is what `answers`
    would be if a row cost its tokens.
    """
    return {
        "reference": ratio(timed, trl, "trl_precomputed"),
        "head": ratio(timed, "trl_precomputed", "pairs"),
        "answers": ratio(timed, "pairs", "list"),
        "sharing": ratio(timed, "list", "packed"),
        "answers_in_tokens": tokens.pairs / tokens.branches,
    }


def rounded(value: Any) -> Any:
    """Return VALUE with four significant digits in every fraction."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, Mapping):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list) else value


def _quotient(values: Mapping[str, float], above: str, below: str) -> float | None:
    return values[above] / values[below] if above in values and below in values else None
