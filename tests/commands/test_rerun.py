"""`prefrun rerun`: where the new run goes, and what is refused before it begins."""

from __future__ import annotations

import pytest

from prefrun.commands.rerun import free_folder, rerun
from prefrun.errors import ConfigError
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.files import read_json, write_json
from tests.rundir.fake_run import write_run


def test_the_new_run_is_beside_the_old_one(tmp_path):
    run = tmp_path / "one"
    assert free_folder(run) == tmp_path / "one-rerun"
    (tmp_path / "one-rerun").mkdir()
    assert free_folder(run) == tmp_path / "one-rerun-2"


def test_that_of_a_sweeps_job_is_beside_the_sweep(tmp_path):
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "sweep.json").touch()
    assert free_folder(tmp_path / "sweep" / "3") == tmp_path / "sweep-3-rerun"


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["a", "--frob"], ["a", "--output"]])
def test_one_run_is_wanted(arguments):
    with pytest.raises(ConfigError, match="usage: prefrun rerun RUN_DIR"):
        rerun(arguments)


def test_a_run_without_result_is_refused(tmp_path):
    run = write_run(tmp_path / "cut", None)
    with pytest.raises(ConfigError, match="has no result to compare with: failed at step 40"):
        rerun([str(run)])
    assert [path.name for path in tmp_path.iterdir()] == ["cut"]


def test_a_missing_plugin_is_named_before_anything_is_made(tmp_path):
    run = write_run(tmp_path / "one", {"kl": 2.0})
    directory = RunDirectory(run)
    manifest = read_json(directory.manifest)
    manifest["components"]["algo"] = "gone"
    write_json(directory.manifest, manifest)
    with pytest.raises(ConfigError, match="the run used algo=gone, which is not installed here"):
        rerun([str(run)])
    assert [path.name for path in tmp_path.iterdir()] == ["one"]
