"""Checkpoints of a SparsePO run: everything that a resumed run needs to give the same numbers."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import torch

from prefrun.rundir.directory import RunDirectory
from prefrun.training.disk import reporting_full_disk

FILE = "sparsepo.pt"
STAGING = "incomplete"


def save(run: Path, step: int, state: dict[str, Any], keep: int) -> Path:
    """Write STATE as checkpoint-STEP, whole or not at all, and remove all but the KEEP last.

    Raises PrefrunError where the disk is full.
    """
    root = RunDirectory(run).checkpoints
    staging, folder = root / STAGING, root / f"checkpoint-{step}"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    with reporting_full_disk(staging, run):
        torch.save(state, staging / FILE)
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(staging, folder)
    steps = sorted(int(each.name.rpartition("-")[2]) for each in root.glob("checkpoint-*"))
    for old in steps[:-keep]:
        shutil.rmtree(root / f"checkpoint-{old}")
    return folder


def load(run: Path) -> tuple[int, dict[str, Any]] | None:
    """Return step and state of the last checkpoint; None where there is none."""
    folder = RunDirectory(run).last_checkpoint()
    if folder is None:
        return None
    state = torch.load(folder / FILE, weights_only=True, map_location="cpu")
    return int(folder.name.rpartition("-")[2]), state
