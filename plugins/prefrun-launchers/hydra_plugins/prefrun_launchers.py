"""hydra/launcher=process, ray and slurm. Hydra imports this in every application."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

if TYPE_CHECKING:
    from prefrun_launchers.sweep_job import SweepJob

# No `from __future__ import annotations`: Hydra's scan runs this file where dataclasses could not
# resolve them.


@dataclass
class ProcessConfig:
    """Every job in a fresh process of this machine, with a device of its own."""

    _target_: str = "hydra_plugins.prefrun_launchers.ProcessLauncher"
    n_jobs: int | None = None
    """Jobs that run at a time; null: one per device, 1 where there is none."""
    devices: list[Any] | None = None
    """GPUs as CUDA_VISIBLE_DEVICES names them; one that is named twice takes two jobs at a time.
    null: all that are visible; []: none."""


@dataclass
class RayConfig:
    """Every job in a fresh process of a Ray cluster."""

    _target_: str = "hydra_plugins.prefrun_launchers.RayLauncher"
    address: str | None = None
    """auto or HOST:PORT of a running cluster; null: start one on this machine, for this sweep."""
    num_cpus: float = 1
    """CPU cores that a job asks for."""
    num_gpus: float | None = None
    """GPUs that a job asks for; 0.5: two jobs share one; null: 1, or 0 in a cluster without any."""


@dataclass
class SlurmConfig:
    """Every job as a job of a Slurm cluster."""

    _target_: str = "hydra_plugins.prefrun_launchers.SlurmLauncher"
    cluster: str = "slurm"
    """slurm; local: all jobs at once on this machine."""
    timeout_min: int = 240
    """Minutes until a job is cut."""
    requeue: int = 10
    """How often a cut job is queued again; it goes on at its last checkpoint."""
    gpus_per_node: int = 1
    """GPUs of a job."""
    cpus_per_task: int = 4
    """CPU cores of a job."""
    mem_gb: float | None = None
    """Memory of a job in GB; null: the cluster's default."""
    array_parallelism: int = 64
    """Jobs that run at a time, at most."""
    setup: list[str] = field(default_factory=list)
    """Shell commands before a job."""
    sbatch: dict[str, Any] = field(default_factory=dict)
    """Further options of sbatch, by their long names."""


class _Launcher(Launcher):
    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what a job is made of."""
        self.context, self.task, self.config = hydra_context, task_function, config

    def jobs(self, overrides: Sequence[Sequence[str]], first: int) -> "list[SweepJob]":
        """Return the jobs with these OVERRIDES, numbered from FIRST."""
        from prefrun_launchers.sweep_job import prepare

        return prepare(self.context, self.task, self.config, overrides, first)


class ProcessLauncher(_Launcher):
    """See ProcessConfig."""

    def __init__(self, n_jobs: int | None, devices: Sequence[Any] | None) -> None:
        self.n_jobs, self.devices = n_jobs, devices

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run the jobs and return what each returned, in order."""
        from prefrun_launchers.processes import Processes
        from prefrun_launchers.slots import environments

        slots = environments(self.n_jobs, self.devices)
        return Processes(slots).run(self.jobs(job_overrides, initial_job_idx))


class RayLauncher(_Launcher):
    """See RayConfig."""

    def __init__(self, address: str | None, num_cpus: float, num_gpus: float | None) -> None:
        self.address, self.num_cpus, self.num_gpus = address, num_cpus, num_gpus

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run the jobs and return what each returned, in order."""
        from prefrun_launchers.cluster import run_on_ray

        jobs = self.jobs(job_overrides, initial_job_idx)
        return run_on_ray(jobs, self.address, self.num_cpus, self.num_gpus)


class SlurmLauncher(_Launcher):
    """See SlurmConfig."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run the jobs and return what each returned, in order."""
        from prefrun_launchers.queue import run_in_queue

        settings = dict(self.settings)
        for key in ("setup", "array_parallelism"):
            settings[f"slurm_{key}"] = settings.pop(key)
        settings["slurm_setup"] = list(settings["slurm_setup"])
        return run_in_queue(self.jobs(job_overrides, initial_job_idx), **settings)


# Schemas only: the choices are YAML files that no other application in this environment sees.
_store = ConfigStore.instance()
_store.store("process", ProcessConfig, "schema/launcher", provider="prefrun-launchers")
_store.store("ray", RayConfig, "schema/launcher", provider="prefrun-launchers")
_store.store("slurm", SlurmConfig, "schema/launcher", provider="prefrun-launchers")
