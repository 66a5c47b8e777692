"""Wherever its jobs run, a sweep gives the same results, reports and exit codes."""

from __future__ import annotations

import json
from importlib.util import find_spec

import pytest

from tests.together.conftest import Workplace
from tests.together.keyed import KEYED, SECRET, leaks

TOY = (
    *("algo=dpo", "model=linear", "data=linear_world", "data.train=32", "data.test=32"),
    "output_dir=sweep",
)
JOBS = ("-m", *TOY, "trainer.max_steps=20,0,30")
LAUNCHERS = {
    "process": ("hydra.launcher.n_jobs=2",),
    "slurm": ("hydra.launcher.cluster=local", "hydra.launcher.gpus_per_node=0"),
    "ray": (),
    "joblib": ("hydra.launcher.n_jobs=2",),
}
NEEDED = {
    "process": "cloudpickle",
    "slurm": "submitit",
    "ray": "ray",
    "joblib": "hydra_plugins.hydra_joblib_launcher",
}
MORTAL = """
import os, signal
from prefrun import hookimpl

@hookimpl
def prefrun_run_started(run):
    if run.seed == 2 and "IMMORTAL" not in os.environ:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def launcher(name: str) -> list[str]:
    if find_spec(NEEDED[name]) is None:
        pytest.skip(f"{NEEDED[name]} is not installed")
    return [f"hydra/launcher={name}", *LAUNCHERS[name]]


def results(place: Workplace, job: str) -> tuple:
    return place.summary(f"sweep/{job}")["metrics"], place.metrics(f"sweep/{job}")


def check(place: Workplace, done) -> None:
    """Jobs 0 and 2 finished and job 1 was refused."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    failures = (place.folder / "sweep/failed.jsonl").read_text().splitlines()
    assert [json.loads(line)["job"] for line in failures] == [1]
    text = (place.folder / "sweep/comparison.md").read_text()
    assert "trainer.max_steps=20" in text
    assert "trainer.max_steps=30" in text
    assert "trainer.max_steps=0 must be at least 1" in text


@pytest.fixture(scope="module")
def in_one_process(tmp_path_factory) -> Workplace:
    place = Workplace(tmp_path_factory.mktemp("alone"))
    check(place, place.run(*JOBS))
    return place


@pytest.mark.parametrize("name", LAUNCHERS)
def test_a_sweep_gives_what_it_gives_in_one_process_and_keeps_its_secrets(
    keyed, in_one_process, name
):
    done = keyed.run(*JOBS, *KEYED, *launcher(name))
    check(keyed, done)
    for job in ("0", "2"):
        assert results(keyed, job) == results(in_one_process, job)
    assert leaks(keyed.folder / "sweep") == []
    assert SECRET not in done.stdout + done.stderr


def test_a_killed_job_is_a_failure_that_the_same_command_makes_good(workplace):
    site = workplace.folder / "site"
    (site / "prefrun_mortal").mkdir(parents=True)
    (site / "prefrun_mortal/__init__.py").write_text(MORTAL)
    info = site / "prefrun_mortal-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: prefrun-mortal\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[prefrun]\nmortal = prefrun_mortal\n")
    before = workplace.environment.get("PYTHONPATH", "")
    workplace.environment["PYTHONPATH"] = f"{site}:{before}"
    words = ("-m", *TOY, "trainer.max_steps=20", "seed=1,2,3", *launcher("process"))
    done = workplace.run(*words)
    assert done.returncode == 1, done.stderr
    assert "the job's process was ended by SIGKILL" in done.stderr
    assert "not finished: sweep/1: failed before the first step: the job's process" in done.stdout
    assert {job: workplace.summary(f"sweep/{job}")["status"] for job in "02"} == {
        "0": "finished",
        "2": "finished",
    }
    workplace.environment["IMMORTAL"] = "1"
    again = workplace.run(*words)
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("has finished before") == 2
    assert workplace.summary("sweep/1")["seed"] == 2
    assert not (workplace.folder / "sweep/3").exists()
