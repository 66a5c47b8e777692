"""hydra/sweeper=optuna as a user types it: it finds, resumes, prunes, and outlives failures."""

from __future__ import annotations

import json

import pytest
from omegaconf import OmegaConf

from tests.together.conftest import Workplace

pytest.importorskip("optuna", reason="prefrun-optuna is not installed")

SEARCH = (
    *("-m", "algo=dpo", "model=linear", "data=linear_world", "data.train=32", "data.test=64"),
    *("output_dir=sweep", "hydra/sweeper=optuna", "hydra.sweeper.direction=maximize"),
)


def record(place: Workplace):
    return OmegaConf.to_container(OmegaConf.load(place.folder / "sweep/search.yaml"))


def test_a_search_finds_a_better_value_and_goes_on_when_more_trials_are_wanted(workplace):
    words = (*SEARCH, "sweep.metric=accuracy", "trainer.max_steps=20", "trainer.optimizer=sgd")
    space = ("trainer.learning_rate=tag(log,interval(0.001,100))", "algo.beta=0.1,1")
    done = workplace.run(*words, *space, "hydra.sweeper.n_trials=4")
    assert done.returncode == 0, done.stderr
    found = record(workplace)
    for trial in found["trials"]:
        summary = workplace.summary(f"sweep/{trial['folder']}")
        assert trial["value"] == summary["metrics"]["accuracy"]["after"]
    values = [trial["value"] for trial in found["trials"]]
    assert found["best"]["value"] == max(values) > min(values)
    more = workplace.run(*words, *space, "hydra.sweeper.n_trials=6")
    assert more.returncode == 0, more.stderr
    assert record(workplace)["trials"][:4] == found["trials"]
    assert len(record(workplace)["trials"]) == 6
    assert more.stdout.count("finished: ") == 2
    assert "The best of 6 trials" in (workplace.folder / "sweep/comparison.md").read_text()


def test_a_hopeless_run_ends_early_and_a_failed_one_ends_nothing(workplace):
    grid = (
        "hydra/sweeper/sampler=grid",
        "sweep.metric=accuracy",
        "trainer.learning_rate=1,-1,0.001",
    )
    prune = (
        *("hydra/sweeper/pruner=median", "hydra.sweeper.pruner.n_startup_trials=1"),
        "hydra.sweeper.prune_on=loss",
    )
    done = workplace.run(*SEARCH, *grid, *prune, "trainer.max_steps=60", "hydra/launcher=process")
    assert done.returncode == 2, done.stderr
    assert "trainer.learning_rate=-1" in done.stderr
    assert [trial["state"] for trial in record(workplace)["trials"]] == [
        "complete",
        "fail",
        "pruned",
    ]
    failures = (workplace.folder / "sweep/failed.jsonl").read_text().splitlines()
    assert len(failures) == 1
    pruned = record(workplace)["trials"][2]["folder"]
    status = json.loads((workplace.folder / f"sweep/{pruned}/status.json").read_text())
    assert status["status"] == "pruned"
    assert status["reason"].startswith("pruned at step 20: loss is ")
    assert len(workplace.metrics(f"sweep/{pruned}")) == 1
    assert "pruned at step 20" in done.stdout


def test_a_wrong_metric_is_refused_at_the_first_trial(workplace):
    done = workplace.run(*SEARCH, "sweep.metric=rewrad", "trainer.max_steps=20,30,40")
    assert done.returncode == 2
    assert "sweep.metric=rewrad was not measured. Metrics: accuracy, kendall_tau" in done.stderr
    assert not (workplace.folder / "sweep/1").exists()
    one = "hydra.sweeper.n_trials=1"
    mended = workplace.run(*SEARCH, "sweep.metric=accuracy", "trainer.max_steps=20,30,40", one)
    assert mended.returncode == 0, mended.stderr
    assert "job 0 has finished before" in mended.stdout


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["trainer.max_steps=20,30"], "needs sweep.metric=NAME"),
        (["sweep.metric=accuracy"], "has nothing to search"),
        (
            ["sweep.metric=accuracy", "trainer.max_steps=20,30", "hydra.sweeper.direction=up"],
            "direction=up",
        ),
    ],
)
def test_what_makes_no_search_is_refused_before_any_job(workplace, words, reason):
    done = workplace.run(*SEARCH, *words)
    assert done.returncode == 2
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
    assert not (workplace.folder / "sweep").exists()
