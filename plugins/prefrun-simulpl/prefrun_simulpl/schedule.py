"""When each target unit is written: delays of wait-k and of a confidence threshold."""

from __future__ import annotations

from collections.abc import Sequence


def wait_k_delays(k: int, source: int, target: int) -> list[int]:
    """Return g(t) = min(k + t - 1, source) for t = 1..target (Ma et al. 2019)."""
    return [min(k + number, source) for number in range(target)]


def confidence_delays(
    confidence: Sequence[Sequence[float]], source: int, threshold: float, min_source: int = 1
) -> list[int]:
    """Return the delays that a table of confidences leads to (Yu et al. 2024, SM2).

    confidence[t][j-1]: that of target unit t after j source units. While it is below THRESHOLD and
    some source is left, one more source unit is read.
    """
    read, delays = min(min_source, source), []
    for row in confidence:
        while read < source and row[read - 1] < threshold:
            read += 1
        delays.append(read)
    return delays


def actions(delays: Sequence[int], source: int) -> list[str]:
    """Return the READ and WRITE actions behind DELAYS, and the reads after the last WRITE."""
    log, read = [], 0
    for delay in delays:
        log += ["READ"] * (delay - read) + ["WRITE"]
        read = max(read, delay)
    return log + ["READ"] * (source - read)
