"""Rules for making and opening a run directory."""

from __future__ import annotations

import pytest

from prefrun.errors import ConfigError
from prefrun.rundir.directory import MARKS, RunDirectory
from prefrun.rundir.files import read_json_lines


def test_a_fresh_folder_is_made_with_its_parents(tmp_path):
    directory = RunDirectory(tmp_path / "runs" / "one").create()
    assert directory.path.is_dir()
    assert list(directory.path.iterdir()) == []


def test_an_empty_folder_is_taken(tmp_path):
    assert RunDirectory(tmp_path).create().path == tmp_path


@pytest.mark.parametrize("mark", MARKS)
def test_a_folder_with_a_run_is_refused_with_the_way_on(tmp_path, mark):
    (tmp_path / mark).write_text("{}")
    with pytest.raises(ConfigError, match="already holds a run") as caught:
        RunDirectory(tmp_path).create()
    assert f"prefrun resume {tmp_path}" in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("do not lose me")
    with pytest.raises(ConfigError, match=r"thesis\.tex"):
        RunDirectory(tmp_path).create()
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_its_place_is_refused(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(ConfigError, match="output_dir="):
        RunDirectory(tmp_path / "out").create()


def test_open_wants_a_run(tmp_path):
    with pytest.raises(ConfigError, match="no such run directory"):
        RunDirectory(tmp_path / "nothing").open()
    with pytest.raises(ConfigError, match="is no run directory"):
        RunDirectory(tmp_path).open()
    (tmp_path / "manifest.json").write_text("{}")
    assert RunDirectory(tmp_path).open().path == tmp_path


def test_the_last_checkpoint_is_the_one_of_the_highest_step(tmp_path):
    directory = RunDirectory(tmp_path)
    assert directory.last_checkpoint() is None
    for name in ("checkpoint-2", "checkpoint-10", "checkpoint-9", "incomplete", "checkpoint-99x"):
        (directory.checkpoints / name).mkdir(parents=True)
    (directory.checkpoints / "checkpoint-50").write_text("a file")
    assert directory.last_checkpoint() == directory.checkpoints / "checkpoint-10"


def test_samples_are_one_object_per_line(tmp_path):
    samples = [{"id": "a", "response": "two\nlines"}, {"id": "b", "reward": 0.5}]
    RunDirectory(tmp_path).write_samples(samples)
    assert len((tmp_path / "samples.jsonl").read_text().splitlines()) == 2
    assert read_json_lines(tmp_path / "samples.jsonl") == samples
