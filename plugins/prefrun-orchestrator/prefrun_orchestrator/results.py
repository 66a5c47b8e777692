"""The file in which a run keeps what its weights chose, for its report and for comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from prefrun.rundir.files import read_json, write_json

FOLDER = Path("orchestrator")
RESULT = FOLDER / "result.json"
ADAPTER = FOLDER / "adapter"


@dataclass(frozen=True, slots=True)
class Weighting:
    """One weighting's choices among the held-out records' answers, as means over records."""

    name: str
    weights: Sequence[float]
    """[K] mean over prompts."""
    means: Sequence[float]
    """[K] rewards of the chosen answers."""
    utility: float
    regret: float
    on_front: bool


@dataclass(frozen=True, slots=True)
class Result:
    """What a run measured of its weights."""

    objectives: Sequence[str]
    own: str
    """Name of the run's own weighting: 'adapter', or 'given'."""
    weightings: Sequence[Weighting]
    """[] where no held-out record has two answers."""
    hypervolume: Mapping[str, float]
    """Of the fixed weightings, of the run's own, and of all together."""
    low: Sequence[float]
    """[K] lowest rewards of the training answers."""
    high: Sequence[float]
    """[K] highest ones."""
    class_key: str | None = None
    """Metadata key of the prompts' classes; None where there are none."""
    class_weights: Mapping[str, Sequence[float]] | None = None
    """[K] mean weights by class."""
    class_targets: Mapping[str, Sequence[float]] | None = None
    """[K] mean targets of stage 1 by class."""
    warnings: Sequence[str] = ()


def write_result(path: Path, result: Result, warnings: Sequence[str]) -> None:
    """Write RESULT with WARNINGS to PATH, whole or not at all."""
    write_json(path, {**asdict(result), "warnings": list(warnings)})


def read_result(path: Path) -> Result:
    """Read what `write_result` wrote. Raises PrefrunError where the file is damaged."""
    content = read_json(path)
    content["weightings"] = [Weighting(**row) for row in content["weightings"]]
    return Result(**content)
