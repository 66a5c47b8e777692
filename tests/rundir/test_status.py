"""status.json through the life of a run."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from prefrun.errors import ConfigError, PrefrunError, RunPrunedError
from prefrun.rundir import status
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.files import read_json, write_json
from prefrun.rundir.status import beat, fail, finish, interrupt, read_status, start


@pytest.fixture
def directory(tmp_path):
    made = RunDirectory(tmp_path)
    start(made)
    return made


def test_a_running_run_says_who_works_on_it(directory):
    beat(directory, 30, 100)
    value = read_json(directory.status)
    assert (value["status"], value["step"], value["steps"]) == ("running", 30, 100)
    assert value["pid"] == os.getpid()
    assert value["host"]
    assert value["started"] <= value["updated"]
    assert read_status(directory).unfinished() == "still running, at step 30 of 100"


def test_a_finished_run_has_nothing_to_explain(directory):
    beat(directory, 30, 100)
    finish(directory, 40)
    assert read_status(directory).unfinished() is None
    assert (read_status(directory).step, read_status(directory).steps) == (40, 40)


def test_the_first_line_of_an_error_is_kept(directory):
    beat(directory, 30, 100)
    fail(directory, ConfigError("the loss is not finite\n  remedy: lower the rate"))
    value = read_status(directory)
    assert (value.status, value.reason) == ("failed", "the loss is not finite")
    assert value.unfinished() == "failed at step 30 of 100: the loss is not finite"


@pytest.mark.parametrize(
    ("error", "reason"),
    [(KeyError("x"), "KeyError: 'x'"), (MemoryError(), "MemoryError")],
)
def test_an_unexpected_error_is_named_by_its_type(directory, error, reason):
    fail(directory, error)
    assert read_status(directory).reason == reason
    assert read_status(directory).unfinished() == f"failed before the first step: {reason}"


def test_a_run_that_a_search_ended_is_not_a_failed_one(directory):
    beat(directory, 30, 100)
    fail(directory, RunPrunedError("pruned at step 30: loss is 0.7"))
    assert read_status(directory).status == "pruned"
    assert read_status(directory).unfinished() == "pruned at step 30: loss is 0.7"


def test_an_interrupted_run_says_so(directory):
    beat(directory, 30, 100)
    interrupt(directory)
    assert read_status(directory).unfinished() == "interrupted at step 30 of 100"


def test_a_resume_keeps_start_and_step_and_forgets_the_error(directory):
    before = read_json(directory.status) | {"started": "2020-01-01T00:00:00+00:00", "pid": 1}
    write_json(directory.status, before)
    beat(directory, 30, 100)
    fail(directory, RuntimeError("boom"))
    start(directory)
    value = read_status(directory)
    assert (value.status, value.reason, value.step) == ("running", None, 30)
    assert value.started == "2020-01-01T00:00:00+00:00"
    assert value.pid == os.getpid()


def test_a_killed_process_is_noticed_on_its_own_host(directory):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait(60)
    beat(directory, 30, 100)
    value = read_json(directory.status) | {"pid": ended.pid}
    write_json(directory.status, value)
    assert read_status(directory).unfinished() == "killed at step 30 of 100"
    write_json(directory.status, value | {"host": "another"})
    assert read_status(directory).unfinished() == "still running, at step 30 of 100"


def test_a_full_disk_does_not_hide_the_error_that_ended_the_run(directory, monkeypatch):
    def full(*_: object) -> None:
        raise PrefrunError("no space left")

    monkeypatch.setattr(status, "write_json", full)
    fail(directory, RuntimeError("boom"))
    interrupt(directory)
    with pytest.raises(PrefrunError, match="no space left"):
        finish(directory, 100)
    monkeypatch.undo()
    assert read_status(directory).status == "running"


def test_a_damaged_status_is_named(directory):
    write_json(directory.status, {"status": "running"})
    with pytest.raises(PrefrunError, match=r"status\.json.*reason"):
        read_status(directory)
