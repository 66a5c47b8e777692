"""SIGTERM and SIGHUP end a run, a sweep and many processes as Ctrl-C does; nothing is lost."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from prefrun.errors import PrefrunError
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.status import Status, read_status
from tests.together.conftest import MAIN, SMALL, Workplace
from tests.together.test_launchers import launcher

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
RARELY = "trainer.checkpoint_steps=50"
"""So that no checkpoint is written but for the signal."""
LONG = (*MAIN, *SMALL, RARELY, "trainer.max_steps=400")
FEW = ("evaluation.max_records=4", "evaluation.max_new_tokens=4")


def status(run: Path) -> Status | None:
    try:
        return read_status(RunDirectory(run))
    except PrefrunError:
        return None


def at_step(run: Path, step: int = 1) -> bool:
    known = status(run)
    return known is not None and known.step >= step


def is_saved(run: Path) -> bool:
    """Whether the only checkpoint of RUN is that of the step it was interrupted at."""
    known = status(run)
    assert known is not None
    assert known.status == "interrupted"
    checkpoints = [path.name for path in (run / "checkpoints").glob("checkpoint-*")]
    return checkpoints == [f"checkpoint-{known.step}"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_saves_the_step_and_the_run_resumes_to_the_same_result(
    finished, workplace, number
):
    process = workplace.start(*MAIN, *SMALL, RARELY, "output_dir=cut")
    run = workplace.folder / "cut"
    process.wait_until(lambda: at_step(run))
    process.send_signal(number)
    out, err = process.communicate()
    assert process.returncode == CODES[number], err
    assert "interrupted. Resume with: prefrun resume" in out
    assert is_saved(run)
    assert workplace.run("resume", "cut").returncode == 0
    whole, cut = finished.summary("whole"), workplace.summary("cut")
    for name, values in whole["metrics"].items():
        assert cut["metrics"][name]["after"] == pytest.approx(values["after"], abs=1e-6), name


def test_a_signal_before_training_ends_the_run_at_once(workplace):
    process = workplace.start(*LONG, "output_dir=cut")
    run = workplace.folder / "cut"
    process.wait_until(lambda: status(run) is not None)
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 143
    known = status(run)
    assert known is not None
    assert (known.status, known.step) == ("interrupted", 0)


def test_a_run_in_the_background_of_a_script_obeys_sigterm_and_ignores_what_it_was_told_to(
    workplace,
):
    process = workplace.start(*LONG, "output_dir=cut", ignored=(signal.SIGINT, signal.SIGHUP))
    run = workplace.folder / "cut"
    process.wait_until(lambda: at_step(run))
    step = status(run).step
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGHUP)
    process.wait_until(lambda: at_step(run, step + 2))
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 143
    assert is_saved(run)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["basic", "process", "joblib"])
def test_a_sweep_saves_its_jobs_and_the_same_command_resumes_it(workplace: Workplace, name):
    chosen = [] if name == "basic" else launcher(name)
    words = ("-m", *MAIN, *SMALL, *FEW, RARELY, *chosen, "output_dir=sweep", "seed=1,2,3")
    process = workplace.start(*words, ignored=(signal.SIGINT,))
    sweep = workplace.folder / "sweep"
    process.wait_until(lambda: any(at_step(sweep / job) for job in "01"))
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate()
    assert process.returncode == 143, err
    assert "Traceback" not in err
    assert "interrupted. The same command resumes the sweep in" in out
    assert not list(sweep.glob("comparison*"))
    assert not (sweep / "failed.jsonl").exists()
    begun = [run for run in sweep.glob("[0-9]*") if status(run)]
    assert 1 <= len(begun) < 3
    trained = [run for run in begun if at_step(run)]
    assert trained
    assert all(is_saved(run) for run in trained)
    again = workplace.run(*words)
    assert again.returncode == 0, again.stderr
    seeds = [json.loads(path.read_text())["seed"] for path in sweep.glob("*/summary.json")]
    assert sorted(seeds) == [1, 2, 3]
    assert (sweep / "comparison.md").exists()


@pytest.mark.slow
def test_many_processes_save_one_checkpoint(workplace):
    words = ("launch=accelerate", "launch.processes=2", "trainer.batch_size=2")
    process = workplace.start(*LONG, *words, "output_dir=cut", ignored=(signal.SIGINT,))
    run = workplace.folder / "cut"
    process.wait_until(lambda: at_step(run))
    process.send_signal(signal.SIGHUP)
    out, err = process.communicate()
    assert process.returncode == 129, err
    assert out.count("interrupted. Resume with: prefrun resume") == 1
    assert is_saved(run)
