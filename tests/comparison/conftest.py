"""Fixtures for tests that compare runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from prefrun.comparison.runs import RunResult, load_run
from prefrun.rundir.directory import RunDirectory
from tests.rundir.fake_run import write_run

MakeRun = Callable[..., Path]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Return `make_run(name, after, ...)`: `write_run` below the test's folder."""

    def make(name: str, after: Mapping[str, float] | None, **options: Any) -> Path:
        return write_run(tmp_path / name, after, **options)

    return make


@pytest.fixture
def result(make_run: MakeRun) -> Callable[..., RunResult]:
    """Return `result(after, ...)`: the loaded result of a made run."""
    made: list[Path] = []

    def make(after: Mapping[str, float] | None, **options: Any) -> RunResult:
        made.append(make_run(f"run{len(made)}", after, **options))
        return load_run(RunDirectory(made[-1]))

    return make
