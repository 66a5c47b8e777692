"""Runs jobs through Slurm with submitit, which also plays the cluster on one machine."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobReturn

from prefrun.console import console
from prefrun.errors import ConfigError, first_sentence
from prefrun_launchers.sweep_job import SweepJob, run_packed

if TYPE_CHECKING:
    from submitit import Job
    from submitit.helpers import DelayedSubmission

FOLDER = ".submitit"
"""In the sweep's folder: what submitit writes, logs included."""
EXTRA = "  remedy: pip install submitit"
LOCAL = "local"
LOOK = 0.1
"""Seconds between two looks whether the jobs on this machine have ended."""


class PackedJob:
    """What submitit calls on the cluster's machine."""

    def __call__(self, packed: bytes) -> JobReturn:
        """Run the job."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # submitit overhears it; a job saves and ends
        return run_packed(packed)

    def checkpoint(self, packed: bytes) -> DelayedSubmission:
        """Queue the job again where Slurm takes its machine away: it goes on in its folder."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, packed)


def run_in_queue(
    jobs: Sequence[SweepJob],
    *,
    cluster: str,
    requeue: int,
    sbatch: Mapping[str, Any],
    **settings: Any,
) -> list[JobReturn]:
    """Run JOBS and return what each returned, in order. The settings: see `SlurmConfig`.

    Raises ConfigError where submitit is not installed or the cluster does not take the jobs.
    """
    try:
        from submitit import AutoExecutor
        from submitit.core.utils import FailedSubmissionError
    except ImportError as error:
        raise ConfigError(f"hydra/launcher=slurm needs submitit: {error}\n{EXTRA}") from error
    folder = Path(jobs[0].config.hydra.sweep.dir) / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # a packed job holds its secrets
    limit = {f"{cluster}_max_num_timeout": requeue}
    more = {"slurm_additional_parameters": dict(sbatch)} if sbatch else {}
    try:
        executor = AutoExecutor(folder / "%j", cluster, **limit)
        executor.update_parameters(name="prefrun", **settings, **more)
        submitted = executor.map_array(PackedJob(), [job.pack() for job in jobs])
    except (FailedSubmissionError, RuntimeError, ValueError) as error:
        raise ConfigError(f"the cluster takes no job: {first_sentence(error)}") from error
    try:
        results = [_result(job, each) for job, each in zip(jobs, submitted, strict=True)]
        _forget(submitted)
        return results
    except KeyboardInterrupt:
        _let_go(submitted, cluster)
        raise


def _result(job: SweepJob, submitted: Job[JobReturn]) -> JobReturn:
    from submitit.core.utils import UncompletedJobError

    try:
        return submitted.result()
    except UncompletedJobError:
        return job.died(
            f"the cluster's job {submitted.job_id} ended without a result, as {submitted.state}\n"
            f"  its log: {submitted.paths.stderr}"
        )


def _forget(submitted: Sequence[Job[JobReturn]]) -> None:
    """Remove what jobs and results were packed in; the logs stay."""
    for job in submitted:
        for path in job.paths.folder.glob("*.pkl"):
            path.unlink(missing_ok=True)


def _end(submitted: Sequence[Job[JobReturn]]) -> None:
    """Let the jobs on this machine save their work; a second signal ends them at once."""
    at_work = [job for job in submitted if not job.done()]
    try:
        for job in at_work:  # not `cancel`, whose SIGINT a script's background job ignores
            os.kill(int(job.job_id), signal.SIGTERM)
        while not all(job.done() for job in at_work):
            time.sleep(LOOK)
    except KeyboardInterrupt:
        for job in at_work:
            job.cancel()


def _let_go(submitted: Sequence[Job[JobReturn]], cluster: str) -> None:
    """End the jobs on this machine; those on a cluster may have waited for days, and go on."""
    if cluster == LOCAL:
        _end(submitted)
        _forget(submitted)
    else:
        first = submitted[0].job_id.partition("_")[0]
        console.print(f"the jobs go on. To end them: scancel {first}", markup=False)
