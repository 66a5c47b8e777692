"""How many jobs run at a time on this machine, and which device each has. CUDA is never begun."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from prefrun.errors import ConfigError

DEVICES, THREADS = "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS"
LIST_GPUS = ("nvidia-smi", "--query-gpu=index", "--format=csv,noheader")


def environments(n_jobs: int | None, devices: Sequence[Any] | None) -> list[Mapping[str, str]]:
    """Return the variables that each of the jobs at a time gets beside those of this process.

    N_JOBS and DEVICES: see `ProcessConfig`. Raises ConfigError where a job would have no device.
    """
    named = None if devices is None else [str(device) for device in devices]
    owned = visible_devices() if named is None else named
    count = (len(owned) or 1) if n_jobs is None else n_jobs
    if count < 1:
        raise ConfigError(f"hydra.launcher.n_jobs={n_jobs} must be at least 1")
    if owned and count > len(owned):
        raise ConfigError(
            f"hydra.launcher.n_jobs={n_jobs}, but there are devices for {len(owned)}: "
            f"{', '.join(owned)}\n  remedy: name a device several times in hydra.launcher.devices "
            "if its memory is enough for several jobs"
        )
    shared: dict[str, str] = {}
    if THREADS not in os.environ:
        shared[THREADS] = str(max(1, usable_cores() // count))
    if count > 1:
        shared["TTY_COMPATIBLE"] = "0"  # rich: several progress bars at a time garble each other
    if owned:
        return [{**shared, DEVICES: device} for device in owned[:count]]
    hidden = {} if named is None else {DEVICES: ""}
    return [{**shared, **hidden}] * count


def visible_devices() -> list[str]:
    """Return the GPUs that CUDA_VISIBLE_DEVICES names; where it is not set, all of this machine."""
    named = os.environ.get(DEVICES)
    if named is not None:
        return [] if named.strip() == "-1" else [each.strip() for each in named.split(",") if each]
    if shutil.which(LIST_GPUS[0]) is None:
        return []
    listed = subprocess.run(LIST_GPUS, capture_output=True, text=True, check=False)
    return listed.stdout.split() if listed.returncode == 0 else []


def usable_cores() -> int:
    """Return the CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
