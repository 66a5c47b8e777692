"""The machine and the versions that a result belongs to."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from prefrun.rundir.machine import describe_machine

PACKAGES = ("torch", "transformers", "trl", "prefrun")


def machine() -> dict[str, Any]:
    """Return processor, cores, memory, load, torch's threads and the packages' versions.

    `load` is the mean number of running processes over the last 15 minutes, ours counted: well
    above `threads` means that others took part of the machine. None where it is not known.
    """
    import torch

    found = describe_machine()
    return {
        "cpu": found["cpu"],
        "cores": found["usable_cores"],
        "memory_gib": found["memory_gib"],
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[2], 2) if hasattr(os, "getloadavg") else None,
        "device": "cpu",
        "dtype": "float32",
        "versions": {name: _version(name) for name in PACKAGES},
    }


def in_words(found: dict[str, Any]) -> str:
    """Return one sentence that names the machine."""
    versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    return (
        f"{found['cpu']}, {found['cores']} core(s), {found['memory_gib']} GiB, "
        f"{found['threads']} thread(s), {found['dtype']}; {versions}"
    )


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
