"""A key that names a secret is used, and its value is in no file of a run or a sweep."""

from __future__ import annotations

import json

from tests.together.conftest import MAIN, SMALL
from tests.together.keyed import KEYED, SECRET, leaks

WORDS = (
    *MAIN,
    *SMALL,
    "trainer.max_steps=2",
    *KEYED,
    f"+hydra.job.env_set.OPENAI_KEY={SECRET}",
)


def run_and_look(keyed, *words):
    """Run WORDS into the folder `one`, whose log tells of the key and which holds none."""
    done = keyed.run(*WORDS, *words, "output_dir=one")
    assert done.returncode == 0, done.stderr
    folder = keyed.folder / "one"
    assert "api_key=***" in (folder / "prefrun.log").read_text()
    assert leaks(folder) == []
    assert SECRET not in done.stdout + done.stderr


def test_processes_of_a_run_know_the_secret_that_it_does_not_write(keyed):
    run_and_look(keyed, "launch=accelerate", "launch.processes=2")


def test_a_run_writes_no_secret_and_says_so_where_it_would_need_it_again(keyed):
    run_and_look(keyed)
    folder = keyed.folder / "one"
    rerun = keyed.run("rerun", "one", "--output", "two")
    assert rerun.returncode == 0, rerun.stderr  # does without its tracker
    status = (folder / "status.json").read_text()
    (folder / "status.json").write_text(status.replace("finished", "interrupted"))
    again = keyed.run("resume", "one")
    assert again.returncode == 2
    assert "holds no secrets, and so no tracker.api_key, tracker.url" in again.stderr


def test_hydras_own_logging_writes_no_secret_either(keyed):
    run_and_look(keyed, "hydra/job_logging=stdout")


def test_a_sweep_writes_no_secret_and_still_finds_its_jobs(keyed):
    sweep = keyed.folder / "sweep"
    words = ("-m", *WORDS, "output_dir=sweep", "seed=1,2")
    for fault in ("tracker.fails=true", "trainer.batch_size=0"):
        folders = [run_and_list(keyed, *words, fault) for _ in range(2)]
        assert folders[0] == folders[1], "the same words lead to the same folders"
    failures = [json.loads(line) for line in (sweep / "failed.jsonl").read_text().splitlines()]
    assert failures[0]["error"] == "refused: api_key=***"
    assert all("tracker.api_key=***" in failure["overrides"] for failure in failures)


def run_and_list(keyed, *words):
    """Run the sweep of WORDS, whose jobs all fail, and return its jobs' folders."""
    done, sweep = keyed.run(*words), keyed.folder / "sweep"
    assert done.returncode in (1, 2), done.stderr
    assert leaks(sweep) == []
    assert SECRET not in done.stdout + done.stderr
    return sorted(path.parent.name for path in sweep.glob("*/status.json"))
