"""`prefrun new KIND NAME`: what it writes installs, is listed, and passes its test as it stands."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile

import pytest

from prefrun.hookspecs import API

GROUPS = {"algorithm": "algo", "data": "data", "reward": "reward", "evaluator": "evaluator"}


def run(*words, cwd=None, path=""):
    paths = os.pathsep.join([str(path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def install(folder, site):
    run("pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target", site, folder)


@pytest.mark.parametrize("kind", GROUPS)
def test_a_written_plugin_installs_is_listed_and_passes(kind, prefrun, plugin_folder, tmp_path):
    done = prefrun("new", kind, "my_own")
    assert done.returncode == 0, done.stderr
    assert "pip install -e prefrun-my-own" in done.stdout
    project = tmp_path / "prefrun-my-own"
    assert f"prefrun_api = {API}" in (project / "prefrun_my_own" / "__init__.py").read_text()
    install(project, plugin_folder)
    assert "my_own" in prefrun("plugins").stdout
    checked = prefrun("check", "my_own")
    assert checked.returncode == 0, checked.stdout
    assert f"{GROUPS[kind]}=my_own" in checked.stdout
    assert "1 passed" in run("pytest", "-q", "tests", cwd=project, path=plugin_folder)
    assert "Source: a template" in prefrun("explain", "my_own").stdout


def test_its_source_distribution_holds_its_files_and_no_runs(prefrun, tmp_path):
    done = prefrun("new", "algorithm", "my_own", "--output", "my plugin")
    assert "pip install -e 'my plugin'" in done.stdout
    project = tmp_path / "my plugin"
    written = {path.relative_to(project).as_posix() for path in project.rglob("*.*")}
    (project / "runs" / "first").mkdir(parents=True)
    (project / "runs" / "first" / "weights.bin").write_text("large")
    run("hatchling", "build", "-t", "sdist", cwd=project)
    with tarfile.open(*(project / "dist").iterdir()) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert held == written | {"PKG-INFO"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "usage: prefrun new"),
        (["algorithm"], "usage: prefrun new"),
        (["algorithm", "mine", "--output"], "--output needs a folder"),
        (["algoritm", "mine"], "Did you mean 'algorithm'?"),
        (["algorithm", "My-Loss"], "'My-Loss' cannot be a name"),
        (["algorithm", "My-Loss"], "such as my_loss"),
        (["algorithm", "3d"], "'3d' cannot be a name"),
        (["algorithm", "class"], "'class' cannot be a name"),
        (["evaluator", "kl"], "evaluator=kl is taken by prefrun"),
        (["data", "demo"], "a plugin 'demo' (prefrun_demo) is installed already"),
        (["data", "mine", "--output", "site"], "site exists: choose another folder"),
        (["data", "mine", "--output", "/dev/null/mine"], "/dev/null/mine cannot be written"),
    ],
)
@pytest.mark.usefixtures("demo")
def test_what_cannot_be_written_is_refused_and_leaves_nothing(prefrun, tmp_path, words, expected):
    done = prefrun("new", *words)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["site"]
