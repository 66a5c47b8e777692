"""What decides the last bits of a run's numbers, beside configuration, code and data."""

from __future__ import annotations

import sys
from typing import Any


def describe_numerics() -> dict[str, Any] | None:
    """Return torch's threads, its CPU instructions and its switches; None before torch is there.

    Sums over several threads are added up in another order, and each set of instructions rounds in
    its own way: with other threads or another processor a result may differ in its last bits.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    return {
        "threads": torch.get_num_threads(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "matmul_precision": torch.get_float32_matmul_precision(),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "cudnn_deterministic": torch.backends.cudnn.deterministic,
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
    }
