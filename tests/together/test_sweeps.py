"""A sweep outlives its failing jobs, compares the others, and says what failed and why."""

from __future__ import annotations

import json
import os

import pytest

from tests.together.conftest import MAIN, SMALL, Workplace

QUICK = (*MAIN, *SMALL, "trainer.max_steps=2", "output_dir=sweep")


def check_one_refused(place: Workplace, done, jobs: list[str]) -> None:
    """JOBS finished and job 1 was refused for its beta, in output, comparison and exit code."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "Error executing job" not in done.stderr
    assert "algo.beta=-1.0 must be above 0" in done.stderr
    assert "not finished: sweep/1: failed before the first step: algo.beta=-1.0" in done.stdout
    for job in jobs:
        assert place.summary(f"sweep/{job}")["status"] == "finished"
        assert place.summary(f"sweep/{job}")["group"] == "sweep"
        argv = json.loads((place.folder / "sweep" / job / "manifest.json").read_text())["argv"]
        assert "-m" in argv
    comparison = (place.folder / "sweep" / "comparison.md").read_text()
    assert "algo.beta=-1.0 must be above 0" in comparison
    lines = (place.folder / "sweep" / "failed.jsonl").read_text().splitlines()
    (failure,) = map(json.loads, lines)
    assert (failure["job"], failure["exit_code"]) == (1, 2)
    assert "algo.beta=-1" in failure["overrides"]


def test_a_refused_job_stops_no_other_one(workplace):
    done = workplace.run("-m", *QUICK, "algo.beta=0.1,-1,0.2")
    check_one_refused(workplace, done, ["0", "2"])
    for words in (["report", "sweep/1"], ["resume", "sweep/1"], ["diff", "sweep/0", "sweep/1"]):
        after = workplace.run(*words)
        assert after.returncode == 2
        assert "the run never began (failed before the first step" in after.stderr


def test_jobs_in_processes_of_their_own_are_compared_too(workplace):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    launcher = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    done = workplace.run("-m", *QUICK, *launcher, "algo.beta=0.1,-1,0.2")
    check_one_refused(workplace, done, ["0", "2"])


def test_a_job_that_fails_at_work_makes_the_exit_code_1_and_keeps_its_traceback(workplace):
    done = workplace.run("-m", *QUICK, "trainer.learning_rate=0,1e30")
    assert done.returncode == 1
    assert "2 job(s) failed" in done.stderr
    folder = workplace.folder / "sweep"
    lines = (folder / "failed.jsonl").read_text().splitlines()
    codes = [json.loads(line)["exit_code"] for line in lines]
    assert codes == [2, 1]
    for job in ("0", "1"):
        assert json.loads((folder / job / "status.json").read_text())["status"] == "failed"
        assert "Traceback" in (folder / job / "prefrun.log").read_text()


def test_the_same_command_again_runs_only_what_is_new(workplace):
    assert workplace.run("-m", *QUICK, "seed=1,2").returncode == 0
    files = {path: path.read_bytes() for path in (workplace.folder / "sweep").glob("[01]/*.json*")}
    again = workplace.run("-m", *QUICK, "seed=0,2,1", "cache.max_gb=5")
    assert again.returncode == 0, again.stderr
    assert "job 1 has finished before: sweep/1" in again.stdout
    assert "job 2 has finished before: sweep/0" in again.stdout
    assert {path: path.read_bytes() for path in files} == files
    assert [workplace.summary(f"sweep/{job}")["seed"] for job in range(3)] == [1, 2, 0]
    third = workplace.run("-m", *QUICK, "seed=0,2,1")
    assert "nothing new: the comparison is sweep/comparison.md" in third.stdout
    status = workplace.run("status", "sweep")
    assert "3 finished, 0 running, 0 failed or cut, 0 remaining" in status.stdout


def test_without_an_output_dir_the_same_command_finds_its_folder(workplace):
    words = [word for word in QUICK if not word.startswith("output_dir")]
    assert workplace.run("-m", *words, "seed=1").returncode == 0
    again = workplace.run("-m", "seed=1", *words, "sweep.retry=1", "hydra/launcher=basic")
    (sweep,) = (workplace.folder / "runs").iterdir()
    assert "job 0 has finished before" in again.stdout
    assert sweep.name.startswith("sweep-")
    assert workplace.run("-m", *words, "seed=2").returncode == 0
    assert len(list((workplace.folder / "runs").iterdir())) == 2


FLAKY = """
import os
from pathlib import Path
from prefrun import hookimpl

@hookimpl
def prefrun_run_started(run):
    from prefrun.training.trainer import PreferenceTrainer

    mark = Path(os.environ["FLAKY"]) / f"{run.algo}-{run.seed}"
    log = PreferenceTrainer.log

    def failing(self, *words, **named):
        if self.state.global_step == 4 and not mark.exists():
            mark.touch()
            raise RuntimeError("the machine hiccups")
        log(self, *words, **named)

    PreferenceTrainer.log = failing
"""


@pytest.fixture
def flaky(workplace, tmp_path):
    """Every job of the workplace fails once, at step 4."""
    site = tmp_path / "site"
    info = site / "prefrun_flaky-1.dist-info"
    info.mkdir(parents=True)
    (site / "prefrun_flaky.py").write_text(FLAKY)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: prefrun-flaky\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[prefrun]\nflaky = prefrun_flaky\n")
    (tmp_path / "marks").mkdir()
    path = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])
    workplace.environment |= {"PYTHONPATH": path, "FLAKY": str(tmp_path / "marks")}
    return workplace


STEADY = (*MAIN, *SMALL, "output_dir=sweep")


def test_a_job_that_failed_goes_on_from_its_checkpoint_when_the_command_is_run_again(flaky):
    first = flaky.run("-m", *STEADY, "seed=1,2")
    assert first.returncode == 1
    assert "2 job(s) failed" in first.stderr
    assert "failed at step 4 of 6: RuntimeError: the machine hiccups" in first.stdout
    again = flaky.run("-m", *STEADY, "seed=1,2")
    assert again.returncode == 0, again.stderr
    assert "job 0 goes on in sweep/0" in again.stdout
    whole = flaky.run("-m", *MAIN, *SMALL, "output_dir=other", "seed=1,2")
    assert whole.returncode == 0
    assert results(flaky, "sweep") == results(flaky, "other")


def test_a_retried_job_is_no_failure(flaky):
    done = flaky.run("-m", *STEADY, "seed=1,2", "sweep.retry=1")
    assert done.returncode == 0, done.stderr
    assert "job 1 failed and is tried again" in done.stdout
    assert len(results(flaky, "sweep")) == 2


def test_a_failure_stops_the_sweep_where_that_is_asked_for(workplace):
    words = (*QUICK, "sweep.on_failure=stop", "trainer.learning_rate=0.001,1e30,0.002")
    done = workplace.run("-m", *words)
    assert done.returncode == 1
    assert "job 2 is left out" in done.stdout
    assert [path.name for path in sorted((workplace.folder / "sweep").glob("[0-9]"))] == ["0", "1"]
    assert (
        "1 finished, 0 running, 1 failed or cut, 1 remaining"
        in workplace.run("status", "sweep").stdout
    )


@pytest.mark.parametrize("word", ["sweep.retry=-1", "sweep.on_failure=stopp"])
def test_a_wrong_key_of_the_sweep_leaves_nothing(workplace, word):
    done = workplace.run("-m", *QUICK, word, "seed=1,2")
    assert done.returncode == 2
    assert done.stderr.startswith(f"prefrun: {word} ")
    assert not (workplace.folder / "sweep").exists()


def test_two_sweeps_at_once_share_the_jobs(workplace):
    words = ("-m", *QUICK, "seed=1,2,3,4")
    both = [workplace.start(*words), workplace.start(*words)]
    outputs = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    done = "".join(out for out, _ in outputs).count("finished: lipo")
    assert done == 4
    assert sorted(seed for _, seed in results(workplace, "sweep")) == [1, 2, 3, 4]
    assert len(list((workplace.folder / "sweep").glob("[0-9]*"))) == 4


def results(place: Workplace, sweep: str) -> dict[tuple[str, int], tuple]:
    """By algorithm and seed, all numbers of each job of SWEEP."""
    found = {}
    for folder in (place.folder / sweep).glob("[0-9]*"):
        summary = place.summary(f"{sweep}/{folder.name}")
        lines = place.metrics(f"{sweep}/{folder.name}")
        found[summary["algo"], summary["seed"]] = (summary["metrics"], lines)
    return found


@pytest.mark.parametrize("words", [(), ("model.lora.rank=4",)], ids=["weights", "lora"])
def test_what_jobs_share_changes_no_result_in_any_order(tmp_path, words):
    small = (*SMALL, "trainer.max_steps=2", "data=ultrafeedback", *words)
    orders = {"forward": ("algo=lipo,dpo", "seed=1,2"), "back": ("algo=dpo,lipo", "seed=2,1")}
    found = {}
    for name, order in orders.items():
        place = Workplace(tmp_path / name)
        place.folder.mkdir()
        done = place.run("-m", *order, *small, "output_dir=sweep")
        assert done.returncode == 0, done.stderr
        found[name] = results(place, "sweep")
    assert len(found["forward"]) == 4
    assert found["forward"] == found["back"]
    alone = Workplace(tmp_path / "alone")
    alone.folder.mkdir()
    done = alone.run("algo=dpo", "seed=2", *small, "output_dir=sweep/0")
    assert done.returncode == 0, done.stderr
    assert results(alone, "sweep")["dpo", 2] == found["forward"]["dpo", 2]
