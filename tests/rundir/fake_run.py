"""Writes a small run directory with given numbers, as a finished or a cut run leaves it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.files import write_atomically, write_json
from prefrun.rundir.status import beat, fail, finish, start

STEPS = 100
DIRECTIONS = {"ranking_accuracy": "max", "win_rate": "max", "reward": "max", "loss": "min"}
ALGO_CONFIGS = {
    "lipo": {"beta": 0.05, "loss": "lambda"},
    "dpo": {"beta": 0.1, "label_smoothing": 0.0},
}


def write_run(
    path: Path,
    after: Mapping[str, float] | None,
    *,
    before: Mapping[str, float] | None = None,
    algo: str = "lipo",
    seed: int = 1,
    fingerprint: str = "f" * 16,
    intervals: Mapping[str, tuple[float, float]] | None = None,
    per_record: Mapping[str, Sequence[float | None]] | None = None,
    lines: Sequence[Mapping[str, float]] = (),
    samples: Sequence[Mapping[str, Any]] = (),
    error: str = "the loss is not finite",
    cost: Mapping[str, float | None] | None = None,
    manifest: Mapping[str, Any] | None = None,
    **overrides: Any,
) -> Path:
    """Write a run whose metrics were BEFORE and AFTER; AFTER = None: it failed with ERROR.

    LINES are the steps it logged, SAMPLES the lines of samples.jsonl, MANIFEST replaces sections of
    its manifest; OVERRIDES are keys of its configuration, '__' for a dot.
    """
    directory = RunDirectory(path)
    config = OmegaConf.create(_config(algo, seed))
    for key, value in overrides.items():
        OmegaConf.update(config, key.replace("__", "."), value)
    write_atomically(directory.config, OmegaConf.to_yaml(config))
    write_json(directory.manifest, _manifest(algo, seed, fingerprint) | dict(manifest or {}))
    start(directory)
    if lines:
        text = "".join(json.dumps(line) + "\n" for line in lines)
        write_atomically(directory.metrics, text)
    if samples:
        directory.write_samples(samples)
    if after is None:
        beat(directory, 40, STEPS)
        fail(directory, RuntimeError(error))
        return path
    metrics = _metrics(before or {}, after, intervals or {})
    write_json(directory.summary, _summary(path.name, algo, seed, metrics, cost or {}))
    if per_record:
        estimates = {metric: {"per_record": values} for metric, values in per_record.items()}
        write_json(directory.evaluation_after, {"metrics": estimates})
    finish(directory, STEPS)
    return path


def _config(algo: str, seed: int) -> dict[str, Any]:
    return {
        "seed": seed,
        "algo": dict(ALGO_CONFIGS[algo]),
        "data": {"source": "sample"},
        "model": {},
        "trainer": {"learning_rate": 0.001, "max_steps": STEPS},
        "tracker": {},
        "cache": {"dir": None},
    }


def _manifest(algo: str, seed: int, fingerprint: str) -> dict[str, Any]:
    return {
        "run_id": "0123456789ab",
        "created": "2026-01-02T03:04:05+00:00",
        "argv": ["prefrun", f"algo={algo}", "data=ultrafeedback", "output_dir=somewhere"],
        "overrides": [f"algo={algo}", "data=ultrafeedback", "output_dir=somewhere"],
        "seed": seed,
        "components": {"algo": algo, "data": "ultrafeedback", "model": "tiny", "reward": "data"},
        "data": {"name": "ultrafeedback-sample", "fingerprint": fingerprint, "train": 512},
        "model": {"name": "tiny"},
        "code": {"prefrun": {"commit": "c" * 40, "dirty": False, "diff_sha256": None}},
        "versions": {"python": "3.11.9", "packages": {"torch": "2.13.0"}, "plugins": {}},
        "hardware": {"cpu": "Example CPU", "cores": 2, "usable_cores": 2, "memory_gib": 8.0},
    }


def _metrics(
    before: Mapping[str, float],
    after: Mapping[str, float],
    intervals: Mapping[str, tuple[float, float]],
) -> dict[str, dict[str, float | None]]:
    metrics: dict[str, dict[str, float | None]] = {
        name: {"before": before.get(name), "after": value} for name, value in after.items()
    }
    for name, (low, high) in intervals.items():
        metrics[name] |= {"low": low, "high": high}
    return metrics


def _summary(
    name: str,
    algo: str,
    seed: int,
    metrics: Mapping[str, Any],
    cost: Mapping[str, float | None],
) -> dict[str, Any]:
    return {
        "status": "finished",
        "run_id": "0123456789ab",
        "name": name,
        "algo": algo,
        "data": "ultrafeedback-sample",
        "model": "tiny",
        "seed": seed,
        "steps": STEPS,
        "metrics": metrics,
        "directions": {metric: DIRECTIONS.get(metric, "none") for metric in metrics},
        "not_measured": {},
        "timing": {"training": 30.0, "evaluation": 12.5},
        "cost": dict(cost),
        "records": {"read": 640, "used": 640, "skipped": 0, "truncated": 0},
    }
