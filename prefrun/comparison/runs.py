"""Reads the results of run directories and sweep folders."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prefrun.comparison.origins import Origin, read_origin
from prefrun.errors import ConfigError, PrefrunError
from prefrun.nesting import stored_nested
from prefrun.rundir.configuration import read_config
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.files import read_json
from prefrun.rundir.status import read_status
from prefrun.rundir.summary import read_summary

CHOICES = ("algo", "data", "model", "reward")
"""Config groups whose choice tells configurations apart; a tracker changes no result."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """One run's result, or why it has none."""

    path: Path
    unfinished: str | None = None
    """Why there is no result; None for a finished run. The fields below are then set."""
    seed: int = 0
    choices: Mapping[str, str] = field(default_factory=dict)
    """The chosen name by config group, and by the dotted place of a component inside another."""
    config: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: str | None = None
    """Of the records that were used."""
    origin: Origin = field(default_factory=Origin)
    """What else it was made from."""
    trained: bool = True
    """False for what only measures, or only decodes."""
    before: Mapping[str, float] = field(default_factory=dict)
    after: Mapping[str, float] = field(default_factory=dict)
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """95 % confidence interval of `after`, where one was computed."""
    directions: Mapping[str, str] = field(default_factory=dict)
    """max, min or none by metric: which end is best."""
    costs: Mapping[str, float] = field(default_factory=dict)
    """What the run spent, by COSTS."""
    per_record: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    """One number per held-out prompt, in order, behind `after`."""


def load_runs(paths: Sequence[str | Path]) -> list[RunResult]:
    """Return every run at or below PATHS (run directories and sweep folders), each once, in order.

    Runs without a result, damaged ones included, are returned with the reason in `unfinished`.
    Raises ConfigError where a path does not exist or holds no run.
    """
    found: dict[Path, RunResult] = {}
    for path in map(Path, paths):
        if not path.is_dir():
            raise ConfigError(f"{path}: there is no such folder")
        directories = list(_run_directories(path))
        if not directories:
            raise ConfigError(
                f"{path} holds no run\n  remedy: name a run directory or a sweep's folder"
            )
        for directory in directories:
            found.setdefault(directory.path.resolve(), load_run(directory))
    return list(found.values())


def _run_directories(folder: Path) -> Iterator[RunDirectory]:
    directory = RunDirectory(folder)
    if directory.holds_run():
        yield directory
        return
    for child in sorted(folder.iterdir(), key=lambda child: _natural(child.name)):
        if child.is_dir() and not child.name.startswith("."):
            yield from _run_directories(child)


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort key that puts job 2 before job 10."""
    return [(int(part or 0), word) for word, part in re.findall(r"(\D*)(\d*)", name)]


def load_run(directory: RunDirectory) -> RunResult:
    """Return the result of one run; a damaged one comes back as unfinished, with the reason."""
    try:
        reason = read_status(directory).unfinished()
        if reason is not None:
            return RunResult(directory.path, reason)
        return _finished(directory)
    except PrefrunError as error:
        return RunResult(directory.path, f"cannot be read: {str(error).splitlines()[0]}")


def _finished(directory: RunDirectory) -> RunResult:
    summary, manifest = read_summary(directory), read_json(directory.manifest)
    metrics: Mapping[str, Mapping[str, float | None]] = summary["metrics"]
    names, config = manifest.get("components") or summary, read_config(directory.config)
    data = manifest["data"]
    return RunResult(
        path=directory.path,
        seed=summary["seed"],
        choices=_choices(names),
        config=config,
        fingerprint=data.get("used_fingerprint", data.get("fingerprint")),
        origin=read_origin(manifest, config),
        trained=summary.get("trained", True),
        before=_measured(metrics, "before"),
        after=_measured(metrics, "after"),
        intervals=_intervals(metrics),
        directions=summary.get("directions", {}),
        costs={name: cost for name, cost in summary.get("cost", {}).items() if cost is not None},
        per_record=_per_record(directory),
    )


def _choices(names: Mapping[str, Any]) -> dict[str, str]:
    own = {group: str(names[group]) for group in CHOICES if names.get(group)}
    return own | {path: name for path, _, name in stored_nested(names)}


def _measured(metrics: Mapping[str, Mapping[str, float | None]], when: str) -> dict[str, float]:
    values = {name: change.get(when) for name, change in metrics.items()}
    return {name: value for name, value in values.items() if value is not None}


def _intervals(
    metrics: Mapping[str, Mapping[str, float | None]],
) -> dict[str, tuple[float, float]]:
    intervals = {}
    for name, values in metrics.items():
        low, high = values.get("low"), values.get("high")
        if low is not None and high is not None:
            intervals[name] = (low, high)
    return intervals


def _per_record(directory: RunDirectory) -> dict[str, Sequence[float | None]]:
    if not directory.evaluation_after.exists():
        return {}
    estimates = read_json(directory.evaluation_after)["metrics"]
    return {
        name: estimate["per_record"]
        for name, estimate in estimates.items()
        if estimate.get("per_record")
    }
