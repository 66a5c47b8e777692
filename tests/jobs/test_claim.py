"""Each job gets one folder, each folder one process, whatever became of earlier tries."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from prefrun.jobs.claim import BUSY, RESUME, SKIP, START, claim
from prefrun.jobs.identity import Identity
from prefrun.jobs.index import read_index
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.files import write_json
from prefrun.rundir.status import fail, finish, start

ONE = Identity("config1", "data", "code")
TWO = Identity("config2", "data", "code")


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    folder = tmp_path / "sweep"
    folder.mkdir()
    return folder


def begin(folder: Path) -> RunDirectory:
    """What a run writes first."""
    directory = RunDirectory(folder)
    write_json(directory.manifest, {})
    start(directory)
    return directory


def do(sweep: Path, identity: Identity | None, number: int = 0, words=("seed=1",), end=finish):
    """Claim a job, begin it and END it; return what the claim said."""
    with claim(sweep, identity, number, words) as found:
        if found.action in (START, RESUME):
            directory = begin(found.folder)
            if end is finish:
                finish(directory, 3)
            elif end is fail:
                fail(directory, RuntimeError("broken"))
    return found.action, found.folder.name


def test_a_finished_job_is_skipped_whatever_words_lead_to_it(sweep):
    assert do(sweep, ONE) == (START, "0")
    assert do(sweep, ONE, 7, ("seed=1", "algo.beta=0.1")) == (SKIP, "0")
    assert read_index(sweep).entries[0].overrides == ["seed=1", "algo.beta=0.1"]


def test_a_cut_job_and_a_failed_one_are_gone_on_with_where_they_are(sweep):
    assert do(sweep, ONE, end=None) == (START, "0")
    assert do(sweep, ONE, 3, end=fail) == (RESUME, "0")
    assert do(sweep, ONE, 5) == (RESUME, "0")
    assert do(sweep, ONE) == (SKIP, "0")


def test_new_jobs_get_their_number_or_the_next_free_one(sweep):
    assert do(sweep, ONE, 0) == (START, "0")
    assert do(sweep, TWO, 0) == (START, "1")
    (sweep / "7").mkdir()
    (sweep / "7" / "notes.txt").write_text("a stranger's")
    assert do(sweep, Identity("config3", "data", "code"), 7) == (START, "8")


def test_a_folder_whose_maker_was_killed_at_once_is_used(sweep):
    (sweep / "0").mkdir()
    (sweep / "0" / ".lock").touch()
    assert do(sweep, ONE, 0) == (START, "0")


def test_a_result_of_other_code_or_data_stays_and_the_job_is_run_beside_it(sweep):
    do(sweep, ONE)
    for number, other in enumerate(
        [Identity("config1", "data", "edited"), Identity("config1", "changed", "code")], start=1
    ):
        assert do(sweep, other) == (START, str(number))
    assert do(sweep, ONE) == (SKIP, "0")


def test_a_try_without_result_under_other_code_is_begun_anew_in_its_folder(sweep):
    do(sweep, ONE, end=fail)
    (sweep / "0" / "checkpoints").mkdir()
    edited = Identity("config1", "data", "edited")
    with claim(sweep, edited, 0, ["seed=1"]) as found:
        assert (found.action, found.folder.name) == (START, "0")
        assert [path.name for path in found.folder.iterdir()] == [".lock"]
    assert [entry.identity for entry in read_index(sweep).entries] == [edited]


def test_a_refused_job_gives_its_folder_to_the_same_words_once_they_are_good(sweep):
    assert do(sweep, None, 0, ["algo.beta=-1"], end=fail) == (START, "0")
    assert do(sweep, None, 4, ["algo.beta=-1"], end=fail) == (START, "0")
    assert do(sweep, TWO, 1, ["algo.beta=1"]) == (START, "1")
    assert do(sweep, ONE, 0, ["algo.beta=-1"]) == (START, "0")


def test_a_deleted_folder_is_made_again(sweep):
    do(sweep, ONE)
    (sweep / "0" / "status.json").unlink()
    (sweep / "0" / "manifest.json").unlink()
    assert do(sweep, ONE) == (START, "0")


def claim_all(sweep: Path, identities: list[Identity], results: multiprocessing.Queue) -> None:
    for number, identity in enumerate(identities):
        with claim(sweep, identity, number, [f"seed={number}"]) as found:
            if found.action == START:
                finish(begin(found.folder), 1)
            results.put((identity.config, found.folder.name, found.action))


def test_processes_at_once_share_the_jobs_and_do_none_twice(sweep):
    identities = [Identity(f"config{number}", "data", "code") for number in range(12)]
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [
        context.Process(target=claim_all, args=(sweep, order, results))
        for order in (identities, identities[::-1], identities[6:] + identities[:6])
    ]
    for worker in workers:
        worker.start()
    seen = [results.get(timeout=120) for _ in range(36)]
    for worker in workers:
        worker.join(120)
    begun = [(config, folder) for config, folder, action in seen if action == START]
    assert len(begun) == len(dict(begun)) == len({folder for _, folder in begun}) == 12
    assert {(config, folder) for config, folder, _ in seen} == set(begun)
    assert {action for *_, action in seen} <= {START, SKIP, BUSY}


def test_a_job_at_work_is_left_to_its_process(sweep):
    with claim(sweep, ONE, 0, ["seed=1"]) as found:
        begin(found.folder)
        assert do(sweep, ONE) == (BUSY, "0")
        with claim(sweep, Identity("config1", "data", "edited"), 0, ["seed=1"]) as other:
            assert (other.action, other.folder.name) == (START, "1")
    assert do(sweep, ONE) == (RESUME, "0")
