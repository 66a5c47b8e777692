"""What a resumed run needs of the last finished round."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch

from prefrun.training.disk import reporting_full_disk
from prefrun_robust.apo_momentum.weights import Weights

FILE = "finished.pt"


@dataclass(frozen=True, slots=True)
class FinishedRound:
    """A round, its last weights and those with which the next one begins."""

    number: int
    hat: Weights
    """pihat_{t+1}"""
    policy: Weights
    """pi_{t+1}"""

    def save(self, folder: Path, run: Path) -> None:
        """Write it into FOLDER of the directory RUN in place of the round before.

        Whole or not at all. Raises PrefrunError if the disk is full.
        """
        staging = folder / "incomplete"
        staging.mkdir(parents=True, exist_ok=True)
        with reporting_full_disk(staging, run):
            content = {"number": self.number, "hat": self.hat, "policy": self.policy}
            torch.save(content, staging / FILE)
        os.replace(staging / FILE, folder / FILE)
        staging.rmdir()

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> FinishedRound | None:
        """Read the one in FOLDER onto DEVICE; None if no round is finished."""
        if not (folder / FILE).exists():
            return None
        return cls(**torch.load(folder / FILE, weights_only=True, map_location=device))
