"""How far a sweep is, from what its jobs left in their folders."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from prefrun.commands.status import status
from prefrun.errors import ConfigError
from prefrun.jobs.identity import Identity
from prefrun.jobs.index import Entry, Index, write_index
from prefrun.jobs.progress import read_progress
from prefrun.jobs.progress_table import duration, progress_table
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.status import beat, fail, finish, start


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Six planned jobs: two finished in 60 s each, one at a half, one failed, one killed."""
    jobs = [[f"seed={seed}", "algo=dpo"] for seed in range(6)]
    entries = [
        Entry(str(number), words, Identity(str(number), "data", "code"))
        for number, words in enumerate(jobs[:5])
    ]
    write_index(tmp_path, Index(jobs, entries))
    for number in range(4):
        start(RunDirectory(tmp_path / str(number)))
    for number in range(2):
        finish(RunDirectory(tmp_path / str(number)), 10)
        change(tmp_path / str(number), started="2026-01-02T03:00:00+00:00")
        change(tmp_path / str(number), updated="2026-01-02T03:01:00+00:00")
    beat(RunDirectory(tmp_path / "2"), 5, 10)
    beat(RunDirectory(tmp_path / "3"), 2, 10)
    fail(RunDirectory(tmp_path / "3"), RuntimeError("the loss is not finite\nand more"))
    return tmp_path


def change(run: Path, **fields: object) -> None:
    value = json.loads((run / "status.json").read_text())
    (run / "status.json").write_text(json.dumps(value | fields))


def test_each_job_counts_once(sweep):
    progress = read_progress(sweep)
    assert [job.folder for job in progress.finished] == ["0", "1"]
    assert [(job.folder, job.step, job.steps) for job in progress.running] == [("2", 5, 10)]
    assert [job.folder for job in progress.ended] == ["3", "4"]
    assert progress.remaining == 1


def test_the_time_left_is_that_of_the_finished_jobs(sweep):
    assert read_progress(sweep).seconds_left == pytest.approx(60 * 1.5)  # one job and a half


def test_a_dead_process_runs_no_more(sweep):
    change(sweep / "2", pid=2**22 + 1)
    progress = read_progress(sweep)
    assert not progress.running
    assert "killed at step 5 of 10" in [job.reason for job in progress.ended]


def test_a_search_does_not_know_what_remains(sweep):
    write_index(sweep, Index(None, []))
    assert read_progress(sweep).remaining is None


def test_the_command_shows_the_counts(sweep, capsys):
    change(sweep / "2", pid=2**22 + 1)  # nothing runs, so nothing is waited for
    assert status([str(sweep)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "2 finished, 0 running, 3 failed or cut, 1 remaining, about 60 s left" in shown


def test_the_table_shows_reasons_and_the_words_that_differ(sweep):
    console = Console(file=StringIO(), width=160)
    console.print(progress_table(read_progress(sweep)))
    shown = console.file.getvalue()
    assert "running" in shown
    assert "failed at step 2 of 10: RuntimeError: the loss is not finite" in shown
    assert "killed before the first step" in shown
    assert "seed=3" in shown
    assert "algo=dpo" not in shown  # all have it


def test_a_folder_without_a_sweep_is_named(tmp_path):
    with pytest.raises(ConfigError, match="holds neither a sweep"):
        status([str(tmp_path)])
    with pytest.raises(ConfigError, match="usage: prefrun status DIR"):
        status([])


@pytest.mark.parametrize(("seconds", "text"), [(45, "45 s"), (720, "12 min"), (12600, "3.5 h")])
def test_durations_are_readable(seconds, text):
    assert duration(seconds) == text
