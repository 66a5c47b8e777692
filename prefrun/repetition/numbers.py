"""Every number of a finished run, as named series."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.files import read_json
from prefrun.rundir.metrics import read_metrics
from prefrun.rundir.summary import read_summary

Series = Mapping[str, Sequence[float | None]]
"""Numbers in order, by name."""
METRIC, PER_RECORD, LOGGED = "metric", "per record", "logged"
TIMED = re.compile(r"(?:^|[_/ .])(?:seconds|time|runtime|per_second|CA)$")
"""Names of what a clock says, which no two runs share; `_CA` is latency with computing time."""


def read_numbers(directory: RunDirectory) -> dict[str, Series]:
    """Return the series of the run in DIRECTORY by kind: its metrics, theirs per record, its log.

    Numbers of a clock are left out. Raises PrefrunError, naming the file, for a missing or damaged
    one.
    """
    return {
        METRIC: _metrics(read_summary(directory)),
        PER_RECORD: _per_record(directory),
        LOGGED: _logged(read_metrics(directory.metrics)),
    }


def _metrics(summary: Mapping[str, Any]) -> Series:
    return {
        f"{name} ({side})": [value]
        for name, values in summary["metrics"].items()
        if not TIMED.search(name)
        for side, value in values.items()
    }


def _per_record(directory: RunDirectory) -> Series:
    found: dict[str, Sequence[float | None]] = {}
    sides = {"before": directory.evaluation_before, "after": directory.evaluation_after}
    for side, file in sides.items():
        metrics = read_json(file)["metrics"] if file.exists() else {}
        for name, values in metrics.items():
            if values.get("per_record") is not None and not TIMED.search(name):
                found[f"{name} ({side})"] = values["per_record"]
    return found


def _logged(lines: Sequence[Mapping[str, Any]]) -> Series:
    names = dict.fromkeys(name for line in lines for name in line)
    return {name: [line.get(name) for line in lines] for name in names if not TIMED.search(name)}
