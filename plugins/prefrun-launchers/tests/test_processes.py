"""hydra/launcher=process: fresh processes, own devices, deaths that hurt nobody, clean ends."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable

import pytest

from prefrun_launchers.processes import how_it_ended

LAUNCHER = "hydra/launcher=process"
LIMIT = 120
"""Seconds after which a wait fails."""


def read(pipe: int, is_enough: Callable[[str], bool] = lambda text: False) -> str:
    """Return what comes through PIPE until it IS_ENOUGH, or until all who wrote to it are gone."""
    text, end = "", time.monotonic() + LIMIT
    while not is_enough(text):
        assert time.monotonic() < end, f"waited in vain after {text!r}"
        ready, _, _ = select.select([pipe], [], [], LIMIT)
        part = os.read(pipe, 4096).decode() if ready else ""
        if not part and text:
            return text
        text += part
    return text


def test_jobs_that_run_at_a_time_have_a_process_and_a_device_each(tmp_path, sweep, seen):
    os.mkfifo(tmp_path / "pipe0")
    os.mkfifo(tmp_path / "pipe1")
    devices = "hydra.launcher.devices=[3,GPU-5]"
    sweep(LAUNCHER, devices, "job=0,1,2,3", "do=meet", PREFRUN_CACHE="here")
    jobs = seen(0, 1, 2, 3)
    assert [job["job"] for job in jobs] == [0, 1, 2, 3]
    assert len({job["pid"] for job in jobs}) == 4
    for pair in (jobs[:2], jobs[2:]):
        assert {job["device"] for job in pair} == {"3", "GPU-5"}
    assert {job["cache"] for job in jobs} == {"here"}
    assert not any(job["torch"] for job in jobs), "imported before the job began"


def test_a_killed_job_is_reported_and_the_others_finish(sweep, seen, failure):
    err = sweep(LAUNCHER, "do=nothing,die,nothing", "hydra.launcher.n_jobs=2")
    assert len(seen(0, 2)) == 2
    known = failure()
    assert (known["job"], known["overrides"], known["exit_code"]) == (1, ["do=die"], 1)
    assert "ended by SIGKILL" in known["error"]
    assert "failed: the job's process was ended by SIGKILL" in err


ENDS = {
    "ctrl-c": (signal.SIGINT, {}),
    "killed": (signal.SIGKILL, {}),
    "terminated in the background": (signal.SIGTERM, {"IGNORES_SIGINT": "yes"}),
}


@pytest.mark.parametrize("end", ENDS)
def test_no_job_outlives_the_sweep(tmp_path, start, end):
    number, environment = ENDS[end]
    os.mkfifo(tmp_path / "pipe")
    pipe = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)  # else it waits for a job
    words = (LAUNCHER, "job=0,1,2", "do=wait", "hydra.launcher.n_jobs=2")
    process = start(*words, **environment)
    try:
        text = read(pipe, lambda text: text.count("waits") == 2)
        process.send_signal(number)
        text += read(pipe)  # until no job is left that could write
    finally:
        os.close(pipe)
    process.communicate(timeout=LIMIT)
    assert process.returncode != 0
    assert text.split() == ["waits"] * 2 + ["interrupted"] * 2
    assert not (tmp_path / "sweep/2/seen.json").exists()
    assert not (tmp_path / "sweep/failed.jsonl").exists()


def test_an_end_is_named():
    assert "SIGSEGV" in how_it_ended(-signal.SIGSEGV)
    assert "memory" in how_it_ended(-signal.SIGKILL)
    assert "exit code 3" in how_it_ended(3)
