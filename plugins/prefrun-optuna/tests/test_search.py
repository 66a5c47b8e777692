"""Searches with a launcher that plays the jobs: values, failures, batches, resumes, refusals."""

from __future__ import annotations

from dataclasses import replace

import pytest
from filelock import FileLock
from omegaconf import OmegaConf

from prefrun import ConfigError
from prefrun.jobs.index import Entry, Index, write_index
from prefrun_optuna.record import RECORD, section
from prefrun_optuna.search import LOCK_FILE

GRID = {"_target_": "prefrun_optuna.grid.Grid"}
RANDOM = {"_target_": "optuna.samplers.RandomSampler", "seed": 0}
TPE = {"_target_": "optuna.samplers.TPESampler", "seed": 0, "n_startup_trials": 5}


def peak_at_three_tenths(words, number):
    return -((float(words["algo.beta"]) - 0.3) ** 2)


def record(folder):
    return OmegaConf.to_container(OmegaConf.load(folder / RECORD))


def test_tpe_comes_closer_to_the_best_value_than_its_random_start(tmp_path, run):
    run(peak_at_three_tenths, "algo.beta=interval(0,1)", sampler=TPE, n_trials=25)
    trials = record(tmp_path)["trials"]
    off = [abs(trial["params"]["algo.beta"] - 0.3) for trial in trials]
    assert sum(off[-5:]) < sum(off[:5])
    assert record(tmp_path)["best"] == max(trials, key=lambda trial: trial["value"])
    assert record(tmp_path)["best"]["params"]["algo.beta"] == pytest.approx(0.3, abs=0.05)


def test_minimize_finds_the_lowest(tmp_path, run):
    run(lambda words, number: float(words["x"]), "x=3,1,2", sampler=GRID, direction="minimize")
    assert record(tmp_path)["best"]["params"] == {"x": "1"}


def test_a_failed_trial_does_not_end_the_search(tmp_path, run):
    def every_other(words, number):
        return None if number % 2 else float(number)

    run(every_other, "x=interval(0,1)")
    states = [trial["state"] for trial in record(tmp_path)["trials"]]
    assert states == ["complete", "fail"] * 3
    assert record(tmp_path)["best"]["trial"] == 4
    assert "| **4** | 4 |" in section(tmp_path)
    assert "| 1 | failed |" in section(tmp_path)


def test_on_failure_stop_ends_it_and_what_was_left_out_comes_first_next_time(tmp_path, run):
    def fails_and_leaves_out(words, number):
        if number == 2:
            entries = [Entry("2", [f"x={words['x']}"], None)]
            write_index(tmp_path, Index(None, entries))
        return 1.0 if number < 2 else None

    words = ("x=interval(0,1)",)
    first = run(fails_and_leaves_out, *words, n_jobs=2, stop_at_failure=True).batches
    assert [number for number, _ in first] == [0, 2]
    states = [trial["state"] for trial in record(tmp_path)["trials"]]
    assert states == ["complete", "complete", "fail", "running"]
    rest = run(lambda words, number: 1.0, *words, n_jobs=2, stop_at_failure=True).batches
    assert rest[0] == (3, [first[1][1][1]])


def test_a_value_that_is_no_number_is_a_failure(tmp_path, run):
    run(lambda words, number: [float("nan"), float("inf"), 1.0][number % 3], "x=interval(0,1)")
    states = [trial["state"] for trial in record(tmp_path)["trials"]]
    assert states == ["fail", "fail", "complete"] * 2


def test_a_metric_that_no_job_measures_ends_the_search_at_the_first(run):
    asked = []

    def lacks_it(words, number):
        asked.append(number)
        return ConfigError("sweep.metric=rewadr was not measured. Metrics: reward")

    with pytest.raises(ConfigError, match="rewadr"):
        run(lacks_it, "x=interval(0,1)", metric="rewadr")
    assert asked == [0]
    run(lambda words, number: 1.0, "x=interval(0,1)", metric="reward", n_trials=1)


def test_trials_are_launched_together_with_numbers_that_follow(run):
    launcher = run(lambda words, number: 1.0, "x=interval(0,1)", n_jobs=4)
    assert [(first, len(jobs)) for first, jobs in launcher.batches] == [(0, 4), (4, 2)]


def test_a_grid_has_every_combination_once_and_goes_on_where_it_was_cut(run):
    words = ("a=x,y", "b=1,2,3")

    def cut(words, number):
        if number == 3:
            raise KeyboardInterrupt
        return 0.0

    with pytest.raises(KeyboardInterrupt):
        run(cut, *words, sampler=GRID)
    rest = run(lambda words, number: 0.0, *words, sampler=GRID).batches
    assert [jobs for _, jobs in rest] == [[["a=y", f"b={b}"]] for b in (1, 2, 3)]


def test_the_same_command_goes_on_and_cut_trials_come_first(tmp_path, run):
    launched = []

    def cut(words, number):
        launched.append(words)
        if number == 5:
            raise KeyboardInterrupt
        return 1.0

    with pytest.raises(KeyboardInterrupt):
        run(cut, "x=interval(0,1)", n_jobs=3)
    rest = run(lambda words, number: 2.0, "x=interval(0,1)", n_jobs=3, n_trials=8).batches
    assert [(first, len(jobs)) for first, jobs in rest] == [(3, 3), (6, 2)]
    assert rest[0][1] == [[f"x={words['x']}"] for words in launched[3:]]
    assert not run(lambda words, number: 1.0, "x=interval(0,1)", n_trials=8).batches
    assert {trial["state"] for trial in record(tmp_path)["trials"]} == {"complete"}


@pytest.mark.parametrize("sampler", [RANDOM, TPE], ids=["random", "tpe"])
def test_a_search_in_two_parts_proposes_what_one_in_one_part_does(tmp_path, run, settings, sampler):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for folder, limits in ((whole, [8]), (parts, [3, 8])):
        folder.mkdir()
        pruning = replace(settings.pruning, storage=f"sqlite:///{folder}/study.db")
        for n_trials in limits:
            run(
                peak_at_three_tenths,
                "algo.beta=interval(0,1)",
                folder=folder,
                pruning=pruning,
                sampler=sampler,
                n_trials=n_trials,
            )
    assert record(whole) == record(parts)
    assert len({trial["params"]["algo.beta"] for trial in record(parts)["trials"]}) == 8


def test_another_question_in_the_same_folder_is_refused(run):
    run(lambda words, number: 1.0, "seed=1", "x=interval(0,1)", n_trials=1)
    with pytest.raises(ConfigError, match="holds another search; what differs: seed=1, seed=2"):
        run(lambda words, number: 1.0, "seed=2", "x=interval(0,1)")
    with pytest.raises(ConfigError, match="what differs: kl, reward"):
        run(lambda words, number: 1.0, "seed=1", "x=interval(0,1)", metric="kl")


def test_two_searches_in_one_folder_are_refused(tmp_path, run):
    with FileLock(tmp_path / LOCK_FILE), pytest.raises(ConfigError, match="another process"):
        run(lambda words, number: 1.0, "x=interval(0,1)")


def test_a_database_that_is_not_there_is_named(tmp_path, run, settings):
    away = replace(settings.pruning, storage=f"sqlite:///{tmp_path}/none/study.db")
    with pytest.raises(ConfigError, match=r"hydra\.sweeper\.storage=sqlite.*cannot be opened"):
        run(lambda words, number: 1.0, "x=interval(0,1)", pruning=away)
