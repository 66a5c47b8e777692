"""Which of a run's checkpoints is the newest, and which ones stay."""

from __future__ import annotations

import pytest

from prefrun.rundir.files import write_json
from prefrun.rundir.progress import PROGRESS, STAGING, Progress, by_age, keep_newest, newest


@pytest.fixture
def write(tmp_path):
    """Write the checkpoint of a training at a step."""

    def make(step, progress, staging=""):
        folder = tmp_path / progress.training / staging / f"checkpoint-{step}"
        write_json(folder / PROGRESS, progress.at(step))
        return folder

    return make


def test_rounds_keep_some_checkpoints_in_all(write, tmp_path):
    written = []
    for number in range(3):
        progress = Progress(f"round-{number}", earlier=4 * number)
        for step in (2, 4):
            written.append(write(step, progress))
            keep_newest(tmp_path, 2)
    assert by_age(tmp_path) == written[-2:]
    assert newest(tmp_path)["steps"] == 12


def test_steps_of_a_part_are_none_of_the_run(write, tmp_path):
    write(50, Progress("adapter", counts=False))
    assert newest(tmp_path)["steps"] == 0
    later = write(2, Progress())
    assert newest(tmp_path)["steps"] == 2
    keep_newest(tmp_path, 1)
    assert by_age(tmp_path) == [later]


def test_a_checkpoint_that_is_not_whole_counts_for_nothing(write, tmp_path):
    write(1, Progress(), STAGING)
    assert newest(tmp_path) is None
