"""What a run is made of: its checked inputs, where it comes from, the seconds it took."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prefrun.algorithm import Algorithm
    from prefrun.plan import Plan
    from prefrun.records.split import DataSplit
    from prefrun.reward import Reward
    from prefrun.rundir.directory import RunDirectory


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a run came from."""

    argv: tuple[str, ...]
    overrides: tuple[str, ...] = ()
    """The key=value words of this job."""
    group: str | None = None
    """The sweep it is part of."""


@dataclass(slots=True)
class Stopwatch:
    """Seconds spent by phase."""

    seconds: dict[str, float] = field(default_factory=dict)
    _since: float = field(default_factory=time.perf_counter)

    def lap(self, phase: str) -> None:
        """Add the time since the last lap to PHASE."""
        now = time.perf_counter()
        self.seconds[phase] = round(self.seconds.get(phase, 0.0) + now - self._since, 3)
        self._since = now


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a run needs and has been checked."""

    plan: Plan
    data: DataSplit
    reward: Reward | None
    algorithm: Algorithm


@dataclass(frozen=True, slots=True)
class Job:
    """One run's checked inputs, and where it comes from and goes to."""

    plan: Plan
    data: DataSplit
    reward: Reward | None
    algorithm: Algorithm
    directory: RunDirectory
    origin: Origin
