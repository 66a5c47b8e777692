"""hydra/launcher=process: fresh processes, own devices, deaths that hurt nobody, clean ends."""

from __future__ import annotations

import os
import signal

import pytest

from prefrun_launchers.processes import how_it_ended

LAUNCHER = "hydra/launcher=process"


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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "killed"])
def test_no_job_outlives_the_sweep(tmp_path, start, number):
    os.mkfifo(tmp_path / "pipe")
    process = start(LAUNCHER, "job=0,1,2", "do=wait", "hydra.launcher.n_jobs=2")
    with open(tmp_path / "pipe") as pipe:  # opens with the first job
        lines = [pipe.readline(), pipe.readline()]
        process.send_signal(number)
        rest = pipe.readlines()  # until no job is left that could write
    process.communicate()
    assert process.returncode != 0
    assert [line.strip() for line in lines + rest] == ["waits"] * 2 + ["interrupted"] * 2
    assert not (tmp_path / "sweep/2/seen.json").exists()
    assert not (tmp_path / "sweep/failed.jsonl").exists()


def test_an_end_is_named():
    assert "SIGSEGV" in how_it_ended(-signal.SIGSEGV)
    assert "memory" in how_it_ended(-signal.SIGKILL)
    assert "exit code 3" in how_it_ended(3)
