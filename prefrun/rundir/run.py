"""What hooks and trackers are told about a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Run:
    """A run's identity. Frozen: new fields break no plugin."""

    id: str
    """Hex digest of the resolved configuration and the data; equal for equal runs."""
    name: str
    """Readable, such as 'lipo-ultrafeedback-sample-tiny-seed1'."""
    output_dir: Path
    seed: int
    algo: str
    data: str
    group: str | None
    """The sweep this run is part of: one value for all its jobs; None for a single run."""
    config: Mapping[str, Any]
    """The resolved configuration as plain containers."""
