"""Latency where the vectors do not look: ends of the range, and what follows from definitions."""

from __future__ import annotations

import math
import random

import pytest

from prefrun_simulpl.latency import METRICS, consecutive_waits, corpus_mean, reference_length
from prefrun_simulpl.schedule import actions, confidence_delays, wait_k_delays


def random_delays(draw: random.Random) -> tuple[list[int], int]:
    source = draw.randint(1, 12)
    return sorted(draw.choices(range(1, source + 1), k=draw.randint(1, 15))), source


@pytest.mark.parametrize("k", [1, 2, 5])
def test_wait_k_lags_k_words_where_both_sides_are_equally_long(k: int) -> None:
    delays = wait_k_delays(k, 9, 9)
    for name in ("AL", "LAAL", "DAL", "ATD", "StartOffset"):
        assert METRICS[name](delays, 9, 9) == pytest.approx(k)


def test_length_adaptive_lagging_does_not_reward_a_long_hypothesis() -> None:
    delays = [1] * 30 + [10]
    assert METRICS["AL"](delays, 10, 10) < 0 < METRICS["AP"](delays, 10, 10)
    assert METRICS["LAAL"](delays, 10, 10) > METRICS["AL"](delays, 10, 10)


def test_waits_add_up_to_the_last_delay_and_bound_their_mean() -> None:
    draw = random.Random(0)
    for _ in range(50):
        delays, source = random_delays(draw)
        waits = consecutive_waits(delays)
        assert sum(waits) == delays[-1]
        assert METRICS["CW"](delays, source, None) == pytest.approx(sum(waits) / len(waits))
        assert METRICS["MaxCW"](delays, source, None) == max(waits)


def test_token_delay_by_the_definition_of_chunks() -> None:
    """ATD by index sets, as the paper writes it, on random schedules."""
    draw = random.Random(1)
    for _ in range(50):
        delays, source = random_delays(draw)
        end, gaps = 0.0, []
        for place, delay in enumerate(delays, 1):
            end = max(delay, end) + 1
            first = delays.index(delay)  # units before this one's chunk
            read_before = delays[first - 1] if first else 0
            gaps.append(end - min(place - max(0, first - read_before), delay))
        assert METRICS["ATD"](delays, source, None) == pytest.approx(sum(gaps) / len(gaps))


def test_empty_hypotheses_are_left_out_and_all_empty_has_no_mean() -> None:
    assert corpus_mean([1.0, None, 3.0]) == 2.0
    assert math.isnan(corpus_mean([None, None]))


def test_reference_words_are_counted_at_single_spaces() -> None:
    assert reference_length("a b  c ") == 5


def test_actions_replay_the_delays() -> None:
    log = actions([2, 2, 3], 5)
    assert log == ["READ", "READ", "WRITE", "WRITE", "READ", "WRITE", "READ", "READ"]


@pytest.mark.parametrize(("threshold", "delays"), [(0.0, [1, 1]), (1.1, [3, 3]), (0.5, [2, 3])])
def test_threshold_sets_the_delays(threshold: float, delays: list[int]) -> None:
    table = [[0.1, 0.9, 0.2], [0.3, 0.4, 0.1]]
    assert confidence_delays(table, 3, threshold) == delays
