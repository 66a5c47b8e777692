"""What a run costs, as summary.json has it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from prefrun.comparison.costs import COSTS
from prefrun.training import cost
from prefrun.training.cost import CostMeter


@pytest.fixture
def clock(monkeypatch):
    """A clock that reads what it is set to."""
    now = {"seconds": 100.0, "cpu": 50.0}
    monkeypatch.setattr(cost.time, "perf_counter", lambda: now["seconds"])
    monkeypatch.setattr(cost, "_cpu_seconds", lambda: now["cpu"])
    return now


@pytest.fixture
def gpu(monkeypatch):
    """A GPU, or none, whose peak is 3 MiB; says how often the peak was reset."""
    resets = []
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: resets.append(1))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 3 * 2**20)

    def switch(on):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: on)
        return resets

    return switch


def test_comparisons_know_every_cost_by_its_name():
    assert list(CostMeter().read(0)) == list(COSTS)


def test_time_counts_from_the_start_of_the_run(clock, gpu):
    gpu(on=False)
    meter = CostMeter()
    clock.update(seconds=112.5, cpu=70.0)
    spent = meter.read(4096)
    assert (spent["seconds"], spent["cpu_seconds"], spent["tokens"]) == (12.5, 20.0, 4096)
    assert spent["gpu_seconds"] is None


def test_a_gpu_counts_its_seconds_in_every_process_and_its_own_peak(clock, gpu):
    resets = gpu(on=True)
    meter = CostMeter()
    clock.update(seconds=110.0)
    assert meter.read(0)["gpu_seconds"] == 10.0
    assert meter.read(0, processes=4)["gpu_seconds"] == 40.0
    assert meter.read(0)["peak_memory_mib"] == 3.0
    assert resets == [1]


def test_the_peak_has_what_was_let_go_again(gpu):
    gpu(on=False)
    meter = CostMeter()
    before = meter.read(0)["peak_memory_mib"]
    del_me = torch.ones(64 * 2**20, dtype=torch.uint8)
    del del_me
    assert meter.read(0)["peak_memory_mib"] >= before + 32


def test_the_peak_is_known_without_proc(gpu, monkeypatch):
    gpu(on=False)

    def missing(*arguments, **options):
        raise FileNotFoundError

    monkeypatch.setattr(Path, "write_text", missing)
    monkeypatch.setattr(Path, "read_text", missing)
    assert CostMeter().read(0)["peak_memory_mib"] > 50
