"""A job that is no good is told so as it trains."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf

from prefrun import ConfigError
from prefrun.errors import RunPrunedError
from prefrun_optuna.pruning import watch
from prefrun_optuna.record import RECORD, section
from prefrun_optuna.settings import TARGET, read_pruning

MEDIAN = {"_target_": "optuna.pruners.MedianPruner", "n_startup_trials": 2, "n_warmup_steps": 2}


@pytest.fixture
def job(tmp_path):
    """Return `job(number, **changed keys)`, which makes this process that job of a search."""

    def job(number, **changes):
        sweeper = {
            "_target_": TARGET,
            "direction": "maximize",
            "prune_on": "loss",
            "prune_direction": "minimize",
            "pruner": MEDIAN,
            "storage": None,
        }
        node = {
            "mode": RunMode.MULTIRUN,
            "job": {"num": number},
            "sweep": {"dir": str(tmp_path)},
            "sweeper": sweeper | changes,
        }
        HydraConfig.instance().cfg = OmegaConf.create({"hydra": node})

    yield job
    HydraConfig.instance().cfg = None


def trainer(job, losses, **changes):
    """Return a job that logs the losses of its number, one per step, and its last as the value."""
    steps = []

    def play(words, number):
        job(number, **changes)
        for step, loss in enumerate(losses[number], 1):
            steps.append((number, step))
            try:
                watch(step, {"loss": loss, "margin": -loss})
            except RunPrunedError:
                return None
        return -losses[number][-1]

    return play, steps


@pytest.fixture
def pruning(job):
    job(0)
    return read_pruning(HydraConfig.instance().cfg.hydra)


LOSSES = [(0.7, 0.5, 0.3), (0.7, 0.6, 0.4), (0.9, 0.8, 0.7), (0.7, 0.4, 0.2)]


def test_a_run_with_a_higher_loss_than_the_median_ends_early(tmp_path, run, job, pruning):
    play, steps = trainer(job, LOSSES)
    run(play, "x=interval(0,1)", n_trials=4, pruning=pruning)
    record = OmegaConf.to_container(OmegaConf.load(tmp_path / RECORD))
    states = [trial["state"] for trial in record["trials"]]
    assert states == ["complete", "complete", "pruned", "complete"]
    assert record["trials"][2]["pruned_at_step"] == 2
    assert (2, 2) in steps
    assert (2, 3) not in steps
    assert record["best"]["trial"] == 3
    assert "| 2 | pruned at step 2 |" in section(tmp_path)


def test_the_direction_of_the_watched_metric_is_its_own(tmp_path, run, job):
    changes = {"prune_on": "margin", "prune_direction": "maximize"}
    job(0, **changes)
    pruning = read_pruning(HydraConfig.instance().cfg.hydra)
    play, _ = trainer(job, LOSSES, **changes)
    run(play, "x=interval(0,1)", n_trials=4, pruning=pruning)
    record = OmegaConf.to_container(OmegaConf.load(tmp_path / RECORD))
    assert [trial["state"] for trial in record["trials"]].index("pruned") == 2


def test_a_metric_that_is_never_logged_is_an_error_after_the_first_trial(run, job, pruning):
    play, _ = trainer(job, LOSSES, prune_on="los")
    with pytest.raises(ConfigError, match="prune_on=los was never logged"):
        run(play, "x=interval(0,1)", pruning=replace(pruning, metric="los"))


def test_other_runs_are_left_alone(job):
    watch(1, {"loss": 9.0})  # no Hydra
    job(0, _target_="hydra._internal.core_plugins.basic_sweeper.BasicSweeper")
    watch(1, {"loss": 9.0})
    job(0, pruner={"_target_": "optuna.pruners.NopPruner"})
    watch(1, {"loss": 9.0})
