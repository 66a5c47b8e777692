"""One job of a sweep, as another process gets it, and what the parent records if that one dies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle
from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, configure_log, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from prefrun.errors import PrefrunError
from prefrun.sweep import record_failure

FOLDER, SUBFOLDER = "hydra.sweep.dir", "hydra.sweep.subdir"


@dataclass(frozen=True, slots=True)
class SweepJob:
    """One job of a sweep."""

    number: int
    overrides: tuple[str, ...]
    sweep: DictConfig
    """The configuration of the whole sweep."""
    context: HydraContext
    task: TaskFunction
    singletons: Any
    """Hydra's state, such as the schemas."""

    def pack(self) -> bytes:
        """Return the job for `run_packed`; cloudpickle, since Hydra's state holds lambdas."""
        packed: bytes = cloudpickle.dumps((self.singletons, self))
        return packed

    def configuration(self) -> DictConfig:
        """Compose the job's configuration."""
        loader = self.context.config_loader
        config = loader.load_sweep_config(self.sweep, list(self.overrides))
        with open_dict(config):
            config.hydra.job.id = f"{config.hydra.job.name}_{self.number}"
            config.hydra.job.num = self.number
        return config

    def died(self, reason: str) -> JobReturn:
        """Record that the job's process ended for REASON, and return what Hydra gets in its place.

        Not thread-safe. A run that had begun keeps its status, so that it counts as cut and can be
        resumed.
        """
        config = self.configuration()
        before = HydraConfig.instance().cfg
        HydraConfig.instance().set_config(config)
        try:
            sweep = Path(OmegaConf.select(config, FOLDER))
            folder = sweep / str(OmegaConf.select(config, SUBFOLDER))
        finally:
            HydraConfig.instance().cfg = before
        folder.mkdir(parents=True, exist_ok=True)
        words = tuple(config.hydra.overrides.task)
        record_failure(sweep, folder, self.number, words, PrefrunError(reason))
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
    return [
        SweepJob(number, tuple(words), sweep, context, task, singletons)
        for number, words in enumerate(overrides, first)
    ]


def run_packed(packed: bytes) -> JobReturn:
    """Run the job in this process, which has run none before."""
    setup_globals()
    singletons, job = cloudpickle.loads(packed)
    Singleton.set_state(singletons)
    return run_job(
        task_function=job.task,
        config=job.configuration(),
        job_dir_key=FOLDER,
        job_subdir_key=SUBFOLDER,
        hydra_context=job.context,
    )
