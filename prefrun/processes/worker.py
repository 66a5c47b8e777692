"""One process of a job: `python -m prefrun.processes.worker RUN_DIR SCRATCH`, by torchrun's words.

The first process carries the job out, into RUN_DIR; the others train with it, and write nothing but
their parts of checkpoints.
"""

from __future__ import annotations

import os
import sys
import threading
import warnings
from datetime import timedelta
from pathlib import Path

from prefrun import signals
from prefrun.processes.failure import keep_error
from prefrun.processes.stop_file import StopFile

CONFIG = "PREFRUN_CONFIG"
"""Environment variable: the configuration with its secrets, which RUN_DIR's copy masks."""
LOOK = 0.2
"""Seconds between two looks for the process that started this one, and for what it asks."""
TIMEOUT = timedelta(days=7)
"""The others wait for the first one's evaluation; a process that dies ends all without any."""


def main() -> int:
    """Do this process's part of the job and return its exit code.

    At a signal that is the first process's to tell: others that left with a failure would have it
    killed as it still writes.
    """
    run, scratch = map(Path, sys.argv[1:])
    rank, processes = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    threads = max(1, (os.cpu_count() or 1) // processes)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))  # before torch is there
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # DDP's advice is no use to a user
    try:
        with signals.listening(repeats=False):
            watched = (os.getppid(), StopFile(scratch))
            threading.Thread(target=_watch, args=watched, daemon=True).start()
            _work(run, is_main=rank == 0)
    except signals.Stopped as stopped:
        return stopped.exit_code if rank == 0 else 0
    except BaseException as error:
        keep_error(scratch, rank, error)
        return 1
    return 0


def _watch(parent: int, stop: StopFile) -> None:
    """Obey STOP, and end this process once PARENT is gone: nobody would know of its work."""
    while os.getppid() == parent:
        stop.obey()
        threading.Event().wait(LOOK)
    os._exit(1)


def _work(run: Path, is_main: bool) -> None:
    from prefrun.commands.begun import typed_config
    from prefrun.job import Job, Origin
    from prefrun.plan import make_plan
    from prefrun.processes.checks import uses_gpus
    from prefrun.run import carry_out_here, prepare, read_data
    from prefrun.rundir.configuration import parse
    from prefrun.rundir.directory import RunDirectory
    from prefrun.rundir.files import read_json

    directory = RunDirectory(run)
    config = parse(os.environ.pop(CONFIG))
    plan = make_plan(typed_config(directory, config, tracker=None if is_main else "none"))
    inputs = prepare(plan, read_data(plan))
    origin = Origin(tuple(sys.argv), group=read_json(directory.manifest)["group"])
    job = Job(plan, inputs.data, inputs.reward, inputs.algorithm, directory, origin)
    _join(uses_gpus(plan))
    if is_main:
        carry_out_here(job)
    else:
        _train_along(job)


def _join(gpus: bool) -> None:
    """Meet the other processes: over NCCL on GPUS, over gloo on CPUs."""
    import torch

    if gpus:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    else:
        os.environ.setdefault("DS_ACCELERATOR", "cpu")  # DeepSpeed would take what it finds
    # its output head gives views of tensors that nothing is written into
    warnings.filterwarnings("ignore", "FSDP2-wrapped module .* returned a view", UserWarning)
    torch.distributed.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo", timeout=TIMEOUT)


def _train_along(job: object) -> None:
    """Train, as the first process does, and leave all else to it."""
    from transformers import set_seed

    from prefrun.job import Job
    from prefrun.run import describe_run
    from prefrun.training.session import Session

    assert isinstance(job, Job)
    this = describe_run(job)
    set_seed(this.seed)
    session = Session(this, job, job.plan.build("tracker"))
    try:
        session.train(job.algorithm)  # type: ignore[arg-type]
    finally:
        session.close()


if __name__ == "__main__":
    sys.exit(main())
