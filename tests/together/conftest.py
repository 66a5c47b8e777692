"""Runs the command as a user would, small enough for two cores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.together.forked import LIMIT, Forked
from tests.together.keyed import TRACKER, YAML
from tests.together.killer import KILLER

SMALL = (
    "data.max_records=48",
    "evaluation.max_records=8",
    "evaluation.max_new_tokens=16",
    "evaluation.bootstrap=50",
    "trainer.batch_size=4",
    "trainer.max_steps=6",
    "trainer.logging_steps=2",
    "trainer.checkpoint_steps=2",
)


class Workplace:
    """A folder to run in, with a cache of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "PREFRUN_CACHE": str(folder / "cache"), "COLUMNS": "200"}

    def start(self, *words: str, ignored: Sequence[int] = ()) -> Forked:
        """Start `prefrun WORDS` and return the process, which has its imports behind it."""
        return Forked(words, self.folder, self.environment, ignored)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `prefrun WORDS` to its end."""
        process = self.start(*words)
        out, err = process.communicate()
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def run_anew(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `prefrun WORDS` in a new interpreter: what it imports heeds the environment."""
        return subprocess.run(
            [sys.executable, "-m", "prefrun", *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT,
        )

    def train(self, output: str, *words: str) -> dict[str, Any]:
        """Run the small main job into OUTPUT and return its summary."""
        trains = "algo=evaluate" not in words  # which refuses keys of the trainer
        small = [word for word in SMALL if trains or not word.startswith("trainer.")]
        done = self.run(*MAIN, *small, f"output_dir={output}", *words)
        assert done.returncode == 0, done.stderr + done.stdout
        return self.summary(output)

    def write_lists(self, numbers: Iterable[int] = range(12)) -> Path:
        """Write a file with a question and two answers for each of NUMBERS, and return its path."""
        row = {
            "source": "t",
            "models": ["a", "b"],
            "completions": [
                {"model": "a", "response": "yes", "overall_score": 8.0},
                {"model": "b", "response": "no", "overall_score": 2.0},
            ],
        }
        rows = [{**row, "instruction": f"Question {number}?"} for number in numbers]
        data = self.folder / "lists.jsonl"
        data.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return data

    def metrics(self, output: str) -> list[dict[str, Any]]:
        """The lines of OUTPUT's metrics.jsonl."""
        text = (self.folder / output / "metrics.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]

    def summary(self, output: str) -> dict[str, Any]:
        """The content of OUTPUT's summary.json."""
        return json.loads((self.folder / output / "summary.json").read_text())


MAIN = ("algo=lipo", "data=ultrafeedback")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest tests: one that begins last would leave a core idle."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    """A fresh folder to run in."""
    return Workplace(tmp_path)


@pytest.fixture
def keyed(make_plugin: Callable[..., None], plugin_folder: Path, workplace: Workplace) -> Workplace:
    """A workplace with a tracker that needs a key."""
    make_plugin("keyed", TRACKER, {"tracker/keyed.yaml": YAML})
    before = workplace.environment.get("PYTHONPATH", "")
    workplace.environment["PYTHONPATH"] = os.pathsep.join([str(plugin_folder), before])
    return workplace


@pytest.fixture
def killed(workplace: Workplace) -> Workplace:
    """A workplace whose processes die where KILL_AT says."""
    site = workplace.folder / "site"
    info = site / "prefrun_killer-1.dist-info"
    info.mkdir(parents=True)
    (site / "prefrun_killer.py").write_text(KILLER)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: prefrun-killer\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[prefrun]\nkiller = prefrun_killer\n")
    path = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])
    workplace.environment |= {"PYTHONPATH": path, "KILL_AT": "nothing:1:before"}
    return workplace


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """A workplace whose folder `whole` holds one finished small run."""
    place = Workplace(tmp_path_factory.mktemp("finished"))
    place.train("whole")
    return place
