"""The error at a loss or gradient that is NaN or infinite."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from prefrun.errors import PrefrunError


class NonFiniteError(PrefrunError):
    """The loss or a gradient is NaN or infinite."""


def complaint(what: str, step: int, ids: Sequence[str], checkpoints: Path, rate: str) -> str:
    """Return that WHAT is not finite at STEP, on the records IDS, and what to go on from.

    RATE: the key of the learning rate.
    """
    last = sorted(checkpoints.glob("checkpoint-*"), key=os.path.getmtime)
    where = f"the last good checkpoint is {last[-1]}" if last else "there is no checkpoint yet"
    records = f"records: {some_of(ids)}; " if ids else ""
    return (
        f"{what} is not finite at step {step}; {records}{where}\n"
        f"  remedy: lower {rate}{', or look at these records' if ids else ''}"
    )


def some_of(ids: Sequence[str]) -> str:
    """Return the first IDS of a step's records, and how many more there are."""
    return ", ".join(ids[:8]) + (f" and {len(ids) - 8} more" if len(ids) > 8 else "")
