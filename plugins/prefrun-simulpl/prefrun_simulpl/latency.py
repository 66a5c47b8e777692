"""Latency of simultaneous translation, per sentence. Numbers are those of SimulEval 1.1.4.

delays: g(t) of each target unit t = 1..T, the source units read when it was written, never falling;
source: S, the source's length; reference: R, the reference's length; R = None counts as T.
All return one number in source units (AP and RTF: without unit); T must be at least 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby, pairwise

Delays = Sequence[float]


def average_lagging(delays: Delays, source: float, reference: int | None = None) -> float:
    """AL (Ma et al. 2019): mean of g(t) - (t-1) S/R up to the first t with g(t) >= S.

    May be below 0: a hypothesis longer than the reference is rewarded. Quote LAAL beside it.
    """
    return _lagging(delays, source, reference or len(delays))


def length_adaptive_average_lagging(
    delays: Delays, source: float, reference: int | None = None
) -> float:
    """LAAL (Papi et al. 2022): AL with max(T, R) in the place of R."""
    return _lagging(delays, source, max(len(delays), reference or 0))


def _lagging(delays: Delays, source: float, target: int) -> float:
    if delays[0] > source:
        return delays[0]
    lags = []
    for number, delay in enumerate(delays):
        lags.append(delay - number * source / target)
        if delay >= source:
            break
    return sum(lags) / len(lags)


def average_proportion(delays: Delays, source: float, reference: int | None = None) -> float:
    """AP (Cho and Esipova 2016): sum of g(t) / (S R). With R given it can exceed 1."""
    return sum(delays) / (source * (reference or len(delays)))


def differentiable_average_lagging(
    delays: Delays, source: float, reference: int | None = None
) -> float:
    """DAL (Arivazhagan et al. 2019): AL in which every unit takes at least S/T. REFERENCE: unused.

    mean of g'(t) - (t-1) S/T, g'(1) = g(1), g'(t) = max(g(t), g'(t-1) + S/T).
    """
    del reference
    pace = source / len(delays)
    total, last = 0.0, float("-inf")
    for number, delay in enumerate(delays):
        last = max(delay, last + pace)
        total += last - number * pace
    return total / len(delays)


def average_token_delay(
    delays: Sequence[int], source: float = 0, reference: int | None = None
) -> float:
    """ATD (Kano et al. 2023), text to text: each unit of either side takes one unit of time.

    Further arguments are unused. Units with equal delay form a chunk. Unit t corresponds to source
    unit s(t) = min(t - max(0, target - source units of earlier chunks), units read by its chunk);
    ATD is the mean of end(t) - s(t), end(t) = max(g(t), end(t-1)) + 1.
    """
    del source, reference
    end = total = 0.0
    place = read = written = 0
    for delay, chunk in groupby(delays):
        ahead, size = max(0, written - read), len(list(chunk))
        for _ in range(size):
            place += 1
            end = max(delay, end) + 1
            total += end - min(place - ahead, delay)
        read, written = delay, written + size
    return total / len(delays)


def consecutive_waits(delays: Delays) -> list[float]:
    """Length of each uninterrupted run of READ actions that a WRITE followed."""
    steps = [delays[0], *(after - before for before, after in pairwise(delays))]
    return [step for step in steps if step > 0]


def consecutive_wait(delays: Delays, source: float = 0, reference: int | None = None) -> float:
    """CW (Gu et al. 2017): mean of `consecutive_waits`. Further arguments are unused."""
    del source, reference
    waits = consecutive_waits(delays)
    return sum(waits) / len(waits)


def longest_wait(delays: Delays, source: float = 0, reference: int | None = None) -> float:
    """Longest of `consecutive_waits`. Further arguments are unused."""
    del source, reference
    return max(consecutive_waits(delays))


Metric = Callable[[Sequence[int], float, int | None], float]
METRICS: Mapping[str, Metric] = {
    "AL": average_lagging,
    "LAAL": length_adaptive_average_lagging,
    "AP": average_proportion,
    "DAL": differentiable_average_lagging,
    "ATD": average_token_delay,
    "CW": consecutive_wait,
    "MaxCW": longest_wait,
    "StartOffset": lambda delays, source, reference: delays[0],
    "EndOffset": lambda delays, source, reference: delays[-1] - source,
    "RTF": lambda delays, source, reference: delays[-1] / source,
    "NumChunks": lambda delays, source, reference: len(delays),
}
"""By the name SimulEval gives them; CW and MaxCW are not in SimulEval."""
COMPUTATION_AWARE = ("AL", "LAAL", "AP", "DAL", "StartOffset", "EndOffset", "RTF")
"""Those that also make sense of elapsed time; ATD needs whole units."""


def reference_length(reference: str) -> int:
    """Words of REFERENCE as SimulEval counts them: it splits on single spaces."""
    return len(reference.split(" "))


def corpus_mean(values: Sequence[float | None]) -> float:
    """Unweighted mean over sentences; None, an empty hypothesis, is skipped. nan where all are."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else float("nan")
