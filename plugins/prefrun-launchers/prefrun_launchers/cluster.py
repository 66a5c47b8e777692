"""Runs jobs as tasks of a Ray cluster, of which each has a process of its own."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn

from prefrun.errors import ConfigError, first_sentence
from prefrun_launchers.sweep_job import SweepJob, run_packed

EXTRA = "  remedy: pip install ray"


def run_on_ray(
    jobs: Sequence[SweepJob], address: str | None, num_cpus: float, num_gpus: float | None
) -> list[JobReturn]:
    """Run JOBS and return what each returned, in order. The settings: see `RayConfig`.

    Raises ConfigError where Ray is not installed or its cluster is not there.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report to its makers
    try:
        import ray
    except ImportError as error:
        raise ConfigError(f"hydra/launcher=ray needs Ray: {error}\n{EXTRA}") from error
    settings: Any = {"include_dashboard": False} if address is None else {}
    try:
        ray.init(address=address, logging_level=logging.ERROR, **settings)
    except ConnectionError as error:
        raise ConfigError(f"hydra.launcher.address={address}: {first_sentence(error)}") from error
    try:
        if num_gpus is None:
            num_gpus = min(1, ray.cluster_resources().get("GPU", 0))
        # max_calls: a process takes no second job, so nothing of the first one leaks
        remote = ray.remote(num_cpus=num_cpus, num_gpus=num_gpus, max_calls=1, max_retries=0)
        task = remote(_run_in_folder)
        results = [task.remote(job.pack(), os.getcwd()) for job in jobs]
        return [_result(ray, job, each) for job, each in zip(jobs, results, strict=True)]
    finally:
        ray.shutdown()


def _run_in_folder(packed: bytes, folder: str) -> JobReturn:
    os.chdir(folder)
    return run_packed(packed)


def _result(ray: Any, job: SweepJob, reference: Any) -> JobReturn:
    try:
        returned: JobReturn = ray.get(reference)
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError) as error:
        return job.died(f"the job's Ray process died: {first_sentence(error)}")
    return returned
