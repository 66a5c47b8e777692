"""A run that was killed goes on to the same result; Ctrl-C ends cleanly."""

from __future__ import annotations

import json
import signal

import pytest

from tests.together.conftest import MAIN, SMALL, Workplace

pytestmark = pytest.mark.slow


def kill_when(place: Workplace, output: str, ready, number: int, *words: str) -> int:
    """Start the main job, send signal NUMBER as soon as READY(folder), and return the exit code."""
    process = place.start(*MAIN, *SMALL, f"output_dir={output}", *words)
    folder = place.folder / output
    process.wait_until(lambda: ready(folder))
    process.send_signal(number)
    process.communicate()
    return process.returncode


MOMENTS = {
    "before the first checkpoint": lambda folder: (folder / "evaluation_before.json").exists(),
    "in training": lambda folder: (folder / "checkpoints" / "checkpoint-2").exists(),
    "while a checkpoint is written": lambda folder: any(
        (folder / "checkpoints" / "incomplete").glob("checkpoint-4/*")
    ),
    "after the last step": lambda folder: (folder / "checkpoints" / "checkpoint-6").exists(),
    "while the cache is written": lambda folder: any((folder.parent / "cache").rglob("*")),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_run_resumes_to_the_same_result(finished, workplace, moment):
    code = kill_when(workplace, "cut", MOMENTS[moment], signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert not (workplace.folder / "cut" / "summary.json").exists()
    done = workplace.run("resume", "cut")
    assert done.returncode == 0, done.stderr
    whole, cut = finished.summary("whole"), workplace.summary("cut")
    assert cut["run_id"] == whole["run_id"]
    assert (cut["steps"], cut["records"]) == (whole["steps"], whole["records"])
    for name, values in whole["metrics"].items():
        assert cut["metrics"][name]["after"] == pytest.approx(values["after"], abs=1e-6), name
    lines = finished.metrics("whole"), workplace.metrics("cut")
    assert [line["step"] for line in lines[1]] == [line["step"] for line in lines[0]]
    assert [line["loss"] for line in lines[1]] == pytest.approx([line["loss"] for line in lines[0]])


def test_ctrl_c_ends_cleanly_and_can_be_resumed(finished, workplace):
    code = kill_when(workplace, "cut", MOMENTS["in training"], signal.SIGINT)
    assert code == 130
    status = json.loads((workplace.folder / "cut" / "status.json").read_text())
    assert status["status"] == "interrupted"
    assert workplace.run("resume", "cut").returncode == 0
    whole, cut = finished.summary("whole"), workplace.summary("cut")
    for name, values in whole["metrics"].items():
        assert cut["metrics"][name]["after"] == pytest.approx(values["after"], abs=1e-6), name


def test_a_finished_run_is_not_resumed(finished):
    done = finished.run("resume", "whole")
    assert done.returncode == 2
    assert "has finished" in done.stderr


def test_changed_data_are_not_resumed(workplace):
    data = workplace.write_lists()
    kill_when(
        workplace,
        "cut",
        MOMENTS["in training"],
        signal.SIGKILL,
        f"data.path={data}",
        "trainer.max_steps=400",
    )
    workplace.write_lists(range(1, 12))
    done = workplace.run("resume", "cut")
    assert done.returncode == 2
    assert "the data are not those the run began with" in done.stderr
