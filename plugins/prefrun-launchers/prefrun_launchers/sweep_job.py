"""One job of a sweep, as another process gets it, and what the parent records if that one dies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, configure_log, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from prefrun.errors import PrefrunError
from prefrun.jobs.failures import record_death


@dataclass(frozen=True, slots=True)
class SweepJob:
    """One job of a sweep."""

    number: int
    config: DictConfig
    """Composed."""
    context: HydraContext
    task: TaskFunction
    singletons: Any
    """Hydra's state, such as the schemas."""

    def pack(self) -> bytes:
        """Return the job for `run_packed`; cloudpickle, since Hydra's state holds lambdas."""
        packed: bytes = cloudpickle.dumps((self.singletons, self))
        return packed

    def died(self, reason: str) -> JobReturn:
        """Record that the job's process ended for REASON; return what Hydra gets in its place."""
        words = list(self.config.hydra.overrides.task)
        folder = Path(self.config.hydra.sweep.dir)
        record_death(folder, self.number, words, PrefrunError(reason))
        # Hydra's own sweeper would raise at a failed one and hide the others
        return JobReturn(overrides=words, status=JobStatus.COMPLETED)


def prepare(
    context: HydraContext,
    task: TaskFunction,
    sweep: DictConfig,
    overrides: Sequence[Sequence[str]],
    first: int,
) -> list[SweepJob]:
    """Make the sweep's folder and return its jobs, numbered from FIRST."""
    setup_globals()
    configure_log(sweep.hydra.hydra_logging, sweep.hydra.verbose)
    Path(sweep.hydra.sweep.dir).mkdir(parents=True, exist_ok=True)
    singletons = Singleton.get_state()
    jobs = []
    for number, words in enumerate(overrides, first):
        config = context.config_loader.load_sweep_config(sweep, list(words))
        with open_dict(config):
            config.hydra.job.id = f"{config.hydra.job.name}_{number}"
            config.hydra.job.num = number
        jobs.append(SweepJob(number, config, context, task, singletons))
    return jobs


def run_packed(packed: bytes) -> JobReturn:
    """Run the job in this process, which has run none before."""
    setup_globals()
    singletons, job = cloudpickle.loads(packed)
    Singleton.set_state(singletons)
    return run_job(
        task_function=job.task,
        config=job.config,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
        hydra_context=job.context,
    )
