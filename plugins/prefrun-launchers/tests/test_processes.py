"""hydra/launcher=process: fresh processes, own devices, deaths that hurt nobody, clean ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from prefrun_launchers.processes import how_it_ended

APP = Path(__file__).with_name("toy_app.py")


@pytest.fixture
def start(tmp_path):
    """Return `start(*words, **environment)`: the toy application's sweep, begun in `tmp_path`."""

    def start(*words, **environment):
        fixed = ["-m", "hydra/launcher=process", "hydra.sweep.dir=sweep"]
        return subprocess.Popen(
            [sys.executable, str(APP), *fixed, *words],
            cwd=tmp_path,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.fixture
def sweep(start):
    """Return `sweep(*words, **environment)`: as `start`, to its end, which must be a good one."""

    def sweep(*words, **environment):
        process = start(*words, **environment)
        _, err = process.communicate()
        assert process.returncode == 0, err
        return err

    return sweep


def seen(folder: Path, *jobs: int):
    return [json.loads((folder / f"sweep/{job}/seen.json").read_text()) for job in jobs]


def test_jobs_that_run_at_a_time_have_a_process_and_a_device_each(tmp_path, sweep):
    os.mkfifo(tmp_path / "pipe0")
    os.mkfifo(tmp_path / "pipe1")
    sweep("job=0,1,2,3", "do=meet", "hydra.launcher.devices=[3,GPU-5]", PREFRUN_CACHE="here")
    jobs = seen(tmp_path, 0, 1, 2, 3)
    assert [job["job"] for job in jobs] == [0, 1, 2, 3]
    assert len({job["pid"] for job in jobs}) == 4
    for pair in (jobs[:2], jobs[2:]):
        assert {job["device"] for job in pair} == {"3", "GPU-5"}
    assert {job["cache"] for job in jobs} == {"here"}
    assert not any(job["torch"] for job in jobs), "imported before the job began"


def test_a_killed_job_is_reported_and_the_others_finish(tmp_path, sweep):
    err = sweep("do=nothing,die,nothing", "hydra.launcher.n_jobs=2")
    assert len(seen(tmp_path, 0, 2)) == 2
    (line,) = (tmp_path / "sweep/failed.jsonl").read_text().splitlines()
    failure = json.loads(line)
    assert (failure["job"], failure["overrides"], failure["exit_code"]) == (1, ["do=die"], 1)
    assert "ended by SIGKILL" in failure["error"]
    assert "failed: the job's process was ended by SIGKILL" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "killed"])
def test_no_job_outlives_the_sweep(tmp_path, start, number):
    os.mkfifo(tmp_path / "pipe")
    process = start("job=0,1,2", "do=wait", "hydra.launcher.n_jobs=2")
    with open(tmp_path / "pipe") as pipe:  # opens with the first job
        lines = [pipe.readline(), pipe.readline()]
        process.send_signal(number)
        rest = pipe.readlines()  # until no job is left that could write
    assert process.wait() != 0
    assert [line.strip() for line in lines + rest] == ["waits"] * 2 + ["interrupted"] * 2
    assert not (tmp_path / "sweep/2/seen.json").exists()
    assert not (tmp_path / "sweep/failed.jsonl").exists()
    process.communicate()


def test_an_end_is_named():
    assert "SIGSEGV" in how_it_ended(-signal.SIGSEGV)
    assert "memory" in how_it_ended(-signal.SIGKILL)
    assert "exit code 3" in how_it_ended(3)
