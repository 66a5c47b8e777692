"""A key that names a secret is used, and its value is in no file of a run or a sweep."""

from __future__ import annotations

import json

import pytest

from tests.together.conftest import MAIN, SMALL

SECRET = "hunter2hunter2"
TRACKER = """
import logging
from dataclasses import dataclass
from pathlib import Path
from prefrun import Component, conf_dir, hookimpl
from prefrun.tracker import Tracker


@dataclass
class KeyedConfig:
    api_key: str | None = None
    url: str | None = None
    fails: bool = False


class Keyed(Tracker):
    def start(self, run):
        assert self.config.api_key == "hunter2hunter2"
        assert "hunter2hunter2" not in repr(run)
        logging.getLogger("keyed").warning("logged in with api_key=%s", self.config.api_key)
        if self.config.fails:
            raise RuntimeError(f"refused: api_key={self.config.api_key}")


@hookimpl
def prefrun_components():
    return [Component("tracker", "keyed", KeyedConfig, "prefrun_keyed:Keyed", "needs a key")]


@hookimpl
def prefrun_config_dir():
    return conf_dir("prefrun_keyed")
"""
YAML = "defaults:\n  - /schema/tracker/keyed@_here_\n  - _self_\n"
WORDS = (
    *MAIN,
    *SMALL,
    "trainer.max_steps=2",
    "tracker=keyed",
    f"tracker.api_key={SECRET}",
    f"tracker.url=https://me:{SECRET}@example.org",
)


@pytest.fixture
def keyed(make_plugin, tmp_path, monkeypatch):
    """A tracker that needs a key."""
    make_plugin("keyed", TRACKER, {"tracker/keyed.yaml": YAML})
    monkeypatch.setenv("PREFRUN_CACHE", str(tmp_path / "cache"))


def leaks(folder):
    """The files of FOLDER that hold the secret."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    texts = {path.name: path.read_text(errors="replace") for path in files}
    return [
        f"{name}: {text[: text.index(SECRET)][-90:]}"
        for name, text in texts.items()
        if SECRET in text
    ]


@pytest.mark.usefixtures("keyed")
def test_a_run_writes_no_secret_and_says_so_where_it_would_need_it_again(prefrun, tmp_path):
    done = prefrun(*WORDS, "output_dir=one")
    assert done.returncode == 0, done.stderr
    assert "api_key=***" in (tmp_path / "one" / "prefrun.log").read_text()
    assert leaks(tmp_path / "one") == []
    assert SECRET not in done.stdout
    assert prefrun("rerun", "one", "--output", "two").returncode == 0  # does without its tracker
    (tmp_path / "one" / "status.json").write_text(
        (tmp_path / "one" / "status.json").read_text().replace("finished", "interrupted")
    )
    again = prefrun("resume", "one")
    assert again.returncode == 2
    assert "holds no secrets, and so no tracker.api_key, tracker.url" in again.stderr


@pytest.mark.usefixtures("keyed")
def test_a_sweep_writes_no_secret_and_still_finds_its_jobs(prefrun, tmp_path):
    sweep = tmp_path / "sweep"
    words = ("-m", *WORDS, "output_dir=sweep", "seed=1,2")
    for fault in ("tracker.fails=true", "trainer.batch_size=0"):
        folders = [run_and_list(prefrun, sweep, *words, fault) for _ in range(2)]
        assert folders[0] == folders[1], "the same words lead to the same folders"
    failures = [json.loads(line) for line in (sweep / "failed.jsonl").read_text().splitlines()]
    assert failures[0]["error"] == "refused: api_key=***"
    assert all("tracker.api_key=***" in failure["overrides"] for failure in failures)


def run_and_list(prefrun, sweep, *words):
    """Run the sweep of WORDS, whose jobs all fail, and return its jobs' folders."""
    done = prefrun(*words)
    assert done.returncode in (1, 2), done.stderr
    assert leaks(sweep) == []
    assert SECRET not in done.stdout + done.stderr
    return sorted(path.parent.name for path in sweep.glob("*/status.json"))
