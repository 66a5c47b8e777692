"""A search without Hydra's command line: its settings, and a launcher that plays the jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hydra.core.utils import JobReturn, JobStatus

from prefrun_optuna.search import search
from prefrun_optuna.settings import Pruning, Settings

Play = Callable[[dict[str, str], int], float | Exception | None]
NO_PRUNER = {"_target_": "optuna.pruners.NopPruner"}


class Launcher:
    """Plays every job, and remembers what was launched together."""

    def __init__(self, play: Play) -> None:
        self.play, self.batches = play, []

    def launch(self, jobs: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
        """Play JOBS, numbered from INITIAL_JOB_IDX."""
        self.batches.append((initial_job_idx, [list(words) for words in jobs]))
        return [self._job(words, number) for number, words in enumerate(jobs, initial_job_idx)]

    def _job(self, words: Sequence[str], number: int) -> JobReturn:
        value = self.play(dict(word.split("=", 1) for word in words), number)
        failed = isinstance(value, Exception)
        return JobReturn(
            status=JobStatus.FAILED if failed else JobStatus.COMPLETED, _return_value=value
        )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A short random search for the highest reward."""
    pruning = Pruning(f"sqlite:///{tmp_path / 'study.db'}", "test", NO_PRUNER, None, 1)
    sampler = {"_target_": "optuna.samplers.RandomSampler", "seed": 0}
    return Settings(tmp_path, "reward", "maximize", 6, 1, False, sampler, pruning)


@pytest.fixture
def run(settings: Settings) -> Callable[..., Launcher]:
    """Return `run(play, *words, **changed settings)`, which searches and returns the launcher."""

    def run(play: Play, *words: str, **changes: object) -> Launcher:
        launcher = Launcher(play)
        search(replace(settings, **changes), words, None, launcher)
        return launcher

    return run
