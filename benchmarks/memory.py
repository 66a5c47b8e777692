"""Peak memory of a training run above the loaded model, in a process of its own."""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
from pathlib import Path
from typing import Any

STATUS = Path("/proc/self/status")
RESET_PEAK = "5"
"""Written to clear_refs, it sets the peak to what is resident now (Linux, see proc(5))."""


def train_for_peak(trainer: Any) -> float:
    """Train TRAINER and return MiB: the peak of resident memory, less what was there before.

    Gradients, optimizer state and activations count; models, libraries and data do not.
    """
    gc.collect()
    _return_free_memory()
    before = _reset_peak()
    trainer.train()
    return (_peak() - before) / 2**20


def _return_free_memory() -> None:
    """Give freed pages back, so that the peak does not hide in them (glibc only)."""
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (AttributeError, OSError):
        return


def _reset_peak() -> int:
    """Return the bytes resident now, after which the peak counts."""
    try:
        Path("/proc/self/clear_refs").write_text(RESET_PEAK)
        return _status("VmRSS")
    except OSError:
        return _peak()


def _peak() -> int:
    try:
        return _status("VmHWM")
    except OSError:  # not Linux: the peak since the process began
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _status(key: str) -> int:
    """Return a line of the process's status in bytes."""
    for line in STATUS.read_text().splitlines():
        name, _, value = line.partition(":")
        if name == key:
            return int(value.split()[0]) * 1024
    raise OSError(f"no {key} in {STATUS}")
