"""What a run costs: time of clock and processors, memory."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path

import torch

MEBIBYTE = 2**20


class CostMeter:
    """Counts from its making on. A resumed run counts its last try."""

    def __init__(self) -> None:
        self._began, self._cpu = time.perf_counter(), _cpu_seconds()
        self._gpu = torch.cuda.is_available()
        if self._gpu:
            torch.cuda.reset_peak_memory_stats()
        else:
            with suppress(OSError):  # Linux only; elsewhere the peak is that of the process so far
                Path("/proc/self/clear_refs").write_text("5")

    def read(self, tokens: int, processes: int = 1) -> dict[str, float | int | None]:
        """Return what was spent so far.

        `seconds` of the clock; `cpu_seconds` over all cores; `gpu_seconds`, those of the clock on
        one GPU, times PROCESSES, None without; `tokens`: distinct TOKENS that went through the
        model in training; `peak_memory_mib` of the GPU, else of the process, libraries included.
        Of several processes CPU time and memory are the first one's.
        """
        seconds = time.perf_counter() - self._began
        peak = torch.cuda.max_memory_allocated() if self._gpu else _peak_bytes()
        return {
            "seconds": round(seconds, 3),
            "cpu_seconds": round(_cpu_seconds() - self._cpu, 3),
            "gpu_seconds": round(seconds * processes, 3) if self._gpu else None,
            "tokens": tokens,
            "peak_memory_mib": round(peak / MEBIBYTE, 1),
        }


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _peak_bytes() -> int:
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource  # not on Windows

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
