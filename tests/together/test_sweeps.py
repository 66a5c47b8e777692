"""A sweep outlives its failing jobs, compares the others, and says what failed and why."""

from __future__ import annotations

import json

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


def test_a_second_sweep_into_the_same_folder_changes_no_result(workplace):
    assert workplace.run("-m", *QUICK, "seed=1").returncode == 0
    before = workplace.summary("sweep/0")
    again = workplace.run("-m", *QUICK, "seed=2")
    assert again.returncode == 2
    assert "already holds a run" in again.stderr
    assert workplace.summary("sweep/0") == before


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
