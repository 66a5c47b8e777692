"""What the manifest holds, and what it never holds."""

from __future__ import annotations

import json
import platform
import subprocess
import sys

import pytest

from prefrun.errors import DataError
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.files import read_json, write_json
from prefrun.rundir.manifest import check_same_data, collect_manifest

SECRET = "hunter2-hunter2"


@pytest.fixture
def manifest(monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", SECRET)
    return collect_manifest(
        argv=["prefrun", "algo=lipo", f"tracker.api_key={SECRET}"],
        overrides=["algo=lipo", f"tracker.api_key={SECRET}"],
        run_id="0123456789ab",
        data={"name": "pairs", "fingerprint": "f1", "path": f"https://me:{SECRET}@example.org"},
        model={"name": "tiny", "hub_token": SECRET},
        seed=3,
    )


def test_it_says_what_ran_on_what(manifest):
    assert manifest["run_id"] == "0123456789ab"
    assert manifest["seed"] == 3
    assert manifest["data"]["fingerprint"] == "f1"
    assert manifest["overrides"][0] == "algo=lipo"
    assert manifest["versions"]["python"] == platform.python_version()
    assert manifest["versions"]["packages"]["omegaconf"]
    assert manifest["hardware"]["cores"] >= manifest["hardware"]["usable_cores"] >= 1
    assert "prefrun" in manifest["code"]


def test_no_secret_is_in_it(manifest):
    assert SECRET not in json.dumps(manifest)


def test_it_can_be_written(manifest, tmp_path):
    write_json(tmp_path / "manifest.json", manifest)
    assert read_json(tmp_path / "manifest.json") == manifest


def test_the_working_folder_is_described_where_it_is_another_checkout(tmp_path, monkeypatch):
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    monkeypatch.chdir(tmp_path)
    manifest = collect_manifest([], [], "", {}, {}, 0)
    assert manifest["code"]["working_folder"]["root"] == str(tmp_path.resolve())


def test_other_data_are_refused_on_resume(tmp_path):
    directory = RunDirectory(tmp_path)
    write_json(directory.manifest, {"data": {"fingerprint": "f1"}})
    check_same_data(directory, "f1")
    with pytest.raises(DataError, match="not those the run began with") as caught:
        check_same_data(directory, "f2")
    assert str(tmp_path) in str(caught.value)


def test_nothing_heavy_is_imported():
    code = """
import importlib, pkgutil, sys
import prefrun.comparison, prefrun.rundir
for package in (prefrun.comparison, prefrun.rundir):
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
import prefrun.commands.report, prefrun.commands.diff
from prefrun.rundir.manifest import collect_manifest
collect_manifest([], [], "", {}, {}, 0)
heavy = {"torch", "transformers", "numpy", "scipy", "matplotlib", "rich", "wandb", "datasets"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
