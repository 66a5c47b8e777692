"""What is written of jobs that failed, were refused, or died."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prefrun.errors import DataError
from prefrun.jobs.claim import RESUME, claim
from prefrun.jobs.failures import FAILED_JOBS, record_refusal
from prefrun.jobs.identity import Identity
from prefrun.jobs.index import read_index
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.files import write_json
from prefrun.rundir.status import FAILED, read_status, start

WORDS = ["seed=1", "data.path=lists.jsonl"]
ONE = Identity("config", "data", "code")


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    folder = tmp_path / "sweep"
    folder.mkdir()
    return folder


def test_a_refused_job_says_why_in_a_folder_of_its_own(sweep):
    record_refusal(sweep, 0, WORDS, DataError("is empty", file="lists.jsonl"))
    directory = RunDirectory(sweep / "0")
    assert read_status(directory).status == FAILED
    assert "is empty" in directory.log.read_text()
    (line,) = (sweep / FAILED_JOBS).read_text().splitlines()
    assert (json.loads(line)["folder"], json.loads(line)["exit_code"]) == ("0", 2)


def test_a_refusal_takes_nothing_from_a_job_that_was_cut(sweep):
    """Its data are not there for a while: what it has computed waits for them."""
    with claim(sweep, ONE, 0, WORDS) as found:
        directory = RunDirectory(found.folder)
        write_json(directory.manifest, {})
        start(directory)
        (directory.checkpoints / "checkpoint-2").mkdir(parents=True)
    record_refusal(sweep, 0, WORDS, DataError("there is no such file", file="lists.jsonl"))
    assert (directory.checkpoints / "checkpoint-2").is_dir()
    assert len(read_index(sweep).entries) == 1
    assert "there is no such file" in (sweep / FAILED_JOBS).read_text()
    with claim(sweep, ONE, 0, WORDS) as found:
        assert found.action == RESUME
