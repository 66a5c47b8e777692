"""`prefrun new KIND NAME`: what it writes installs, is listed, and passes its test as it stands."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

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
    install(project, plugin_folder)
    assert "my_own" in prefrun("plugins").stdout
    checked = prefrun("check", "my_own")
    assert checked.returncode == 0, checked.stdout
    assert f"{GROUPS[kind]}=my_own" in checked.stdout
    assert "1 passed" in run("pytest", "-q", "tests", cwd=project, path=plugin_folder)
    assert "Source: a template" in prefrun("explain", "my_own").stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "usage: prefrun new"),
        (["algorithm"], "usage: prefrun new"),
        (["algorithm", "mine", "--output"], "--output needs a folder"),
        (["algoritm", "mine"], "Did you mean 'algorithm'?"),
        (["algorithm", "My-Loss"], "'My-Loss' cannot be a name"),
        (["algorithm", "class"], "'class' cannot be a name"),
        (["evaluator", "kl"], "evaluator=kl is taken by prefrun"),
        (["data", "demo"], "a plugin 'demo' (prefrun_demo) is installed already"),
        (["data", "mine", "--output", "site"], "site exists: choose another folder"),
    ],
)
@pytest.mark.usefixtures("demo")
def test_what_cannot_be_written_is_refused_and_leaves_nothing(prefrun, tmp_path, words, expected):
    done = prefrun("new", *words)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["site"]
