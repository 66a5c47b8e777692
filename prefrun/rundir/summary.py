"""summary.json: the result of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prefrun.errors import PrefrunError
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.files import read_json
from prefrun.rundir.run import Run

NO_DIRECTION = "none"


def build_summary(
    *,
    run: Run,
    model: str,
    steps: int,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    timing: Mapping[str, float],
    cost: Mapping[str, float | None],
    records: Mapping[str, int],
    weights_moved: float | None = None,
    trained: bool = True,
) -> dict[str, Any]:
    """Return the content of summary.json for a finished run.

    BEFORE and AFTER are what evaluation_before.json and evaluation_after.json hold: `metrics`
    (name -> value, low, high, per_record), `not_measured` (evaluator -> reason) and `directions`
    (name -> max, min or none). STEPS are optimizer steps, TIMING is seconds by phase, COST what
    `CostMeter.read` says, RECORDS holds read, used, skipped and truncated. A metric measured once
    has None on the other side. WEIGHTS_MOVED is the share of weights that training changed, where
    all were trained. TRAINED is False for what only measures, or only decodes.
    """
    names = [
        *after["metrics"],
        *(name for name in before["metrics"] if name not in after["metrics"]),
    ]
    directions = {**before["directions"], **after["directions"]}
    return {
        "status": "finished",
        "run_id": run.id,
        "name": run.name,
        "algo": run.algo,
        "data": run.data,
        "model": model,
        "seed": run.seed,
        "group": run.group,
        "steps": steps,
        "metrics": {name: _change(name, before["metrics"], after["metrics"]) for name in names},
        "directions": {name: directions.get(name, NO_DIRECTION) for name in names},
        "not_measured": dict(after["not_measured"]),
        "timing": dict(timing),
        "cost": dict(cost),
        "records": dict(records),
        "weights_moved": weights_moved,
        "trained": trained,
    }


def _change(
    name: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[str, float | None]:
    start, end = before.get(name, {}), after.get(name, {})
    change: dict[str, float | None] = {"before": start.get("value"), "after": end.get("value")}
    if end.get("low") is not None and end.get("high") is not None:
        change |= {"low": end["low"], "high": end["high"]}
    return change


def read_summary(directory: RunDirectory) -> dict[str, Any]:
    """Return summary.json. Raises PrefrunError, naming the file, if missing or damaged."""
    summary = read_json(directory.summary)
    if not isinstance(summary, dict) or not isinstance(summary.get("metrics"), dict):
        raise PrefrunError(f"{directory.summary}: is no run's summary: lacks 'metrics'")
    return summary
