"""What a comparison of RPS with best-of-n found, by direction; and the file that holds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from prefrun.evaluation.evaluator import Estimate
from prefrun.rundir.files import read_json, write_json

EVALUATION = Path("evaluation") / "rps.json"
SIMULATION = Path("rps_simulation") / "result.json"
"""Places in a run directory."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and the ends of its 95 % confidence interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, estimate: Estimate) -> Interval:
        """Take over an ESTIMATE that has an interval."""
        assert estimate.low is not None
        assert estimate.high is not None
        return cls(estimate.value, estimate.low, estimate.high)


@dataclass(frozen=True, slots=True)
class DirectionResult:
    """RPS against best-of-n for one of the user's directions."""

    name: str
    """Such as '30°', or the weights where there are more than two objectives."""
    degrees: float | None
    """Angle from the first objective; None unless there are two."""
    distance: float | None
    """Degrees to the nearest training direction; None where no training record has one."""
    count: int
    """Prompts or trials."""
    win_rate: Interval
    gain: Interval
    """Of the selected answer's v . r over the baseline's."""
    score: float
    """Mean v . r of the answers that RPS selected."""
    baseline: float
    """The same of best-of-n."""
    violation: float | None = None
    """Simulation: sup_x F_rps(x) - F_baseline(x) of the best score's distribution functions; 0
    where RPS's pool stochastically dominates."""
    single_violation: float | None = None
    """The same of single candidates: assumption 1 of the paper."""
    dominates: bool | None = None
    """Whether `violation` is within the sampling error of two equal distributions."""
    single_dominates: bool | None = None


def write_results(path: Path, directions: Sequence[DirectionResult]) -> None:
    """Write DIRECTIONS to PATH as JSON."""
    write_json(path, {"directions": [asdict(direction) for direction in directions]})


def read_results(path: Path) -> list[DirectionResult]:
    """Return what `write_results` wrote. Raises PrefrunError, naming PATH, where it is damaged."""
    return [_read(row) for row in read_json(path)["directions"]]


def _read(row: dict[str, Any]) -> DirectionResult:
    intervals = {name: Interval(**row[name]) for name in ("win_rate", "gain")}
    return DirectionResult(**{**row, **intervals})
