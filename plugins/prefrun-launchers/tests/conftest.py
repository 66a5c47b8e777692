"""The toy application's sweeps, begun in a folder of the test's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

APP = Path(__file__).with_name("toy_app.py")
LIMIT = 120
"""Seconds that a sweep may take: every wait has an end."""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return `start(*words, **environment)`: a sweep in `tmp_path`, killed after the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, str(APP), "-m", "hydra.sweep.dir=sweep", *words],
            cwd=tmp_path,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=LIMIT)


@pytest.fixture
def sweep(start: Callable[..., subprocess.Popen[str]]) -> Callable[..., str]:
    """Return `sweep(*words, **environment)`: as `start`, to its end, and its stderr."""

    def sweep(*words: str, **environment: str) -> str:
        process = start(*words, **environment)
        _, err = process.communicate(timeout=LIMIT)
        assert process.returncode == 0, err
        return err

    return sweep


@pytest.fixture
def seen(tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """Return `seen(*jobs)`: what these jobs saw of themselves."""

    def seen(*jobs: int) -> list[dict[str, Any]]:
        return [json.loads((tmp_path / f"sweep/{job}/seen.json").read_text()) for job in jobs]

    return seen


@pytest.fixture
def failure(tmp_path: Path) -> Callable[[], dict[str, Any]]:
    """Return `failure()`: the only failure that is recorded."""

    def failure() -> dict[str, Any]:
        (line,) = (tmp_path / "sweep/failed.jsonl").read_text().splitlines()
        return json.loads(line)

    return failure
