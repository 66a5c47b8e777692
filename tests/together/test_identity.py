"""A run is what it was made from: models, files and code are known by content, from any folder."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from prefrun.policy.cache_file import DTYPES, HEADER, encode, sound_entries
from tests.together.conftest import SMALL, Workplace

pytestmark = pytest.mark.slow

WEIGHTS = "model.safetensors"
WORDS = (
    "algo=dpo",
    "data=ultrafeedback",
    "model=hf",
    "model.name=start",
    *SMALL,
    "evaluator=[ranking_accuracy]",
    "trainer.max_steps=2",
)


@pytest.fixture
def place(workplace: Workplace) -> Workplace:
    """A workplace with the model `start`, and `other`, of the same form with other weights."""
    source = Path(pytest.importorskip("prefrun_tiny.model").WEIGHTS)
    for name in ("start", "other"):
        shutil.copytree(source, workplace.folder / name)
    file = workplace.folder / "other" / WEIGHTS
    tensors = load_file(file)
    save_file({name: tensor * 1.01 for name, tensor in tensors.items()}, file, {"format": "pt"})
    return workplace


def overwrite(place: Workplace) -> None:
    shutil.copy(place.folder / "other" / WEIGHTS, place.folder / "start" / WEIGHTS)


def restore(place: Workplace) -> None:
    source = Path(pytest.importorskip("prefrun_tiny.model").WEIGHTS)
    shutil.copytree(source, place.folder / "start", dirs_exist_ok=True)


def manifest(place: Workplace, run: str) -> dict:
    return json.loads((place.folder / run / "manifest.json").read_text())


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ".lock")
    return {str(path): path.read_bytes() for path in found}


LONGER = ("trainer.max_steps=6", "trainer.checkpoint_steps=2")


def cut(place: Workplace, output: str, *words: str, sweep: bool = False) -> None:
    """Kill a run, or the first job of a sweep, behind its second step."""
    process = place.start(*["-m"] * sweep, *WORDS, *LONGER, *words, f"output_dir={output}")
    folder = place.folder / output / ("0" if sweep else "")
    process.wait_until(lambda: (folder / "checkpoints" / "checkpoint-2").exists())
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (folder / "summary.json").exists()


def test_a_sweep_over_an_overwritten_model_runs_again_and_mixes_nothing(place):
    sweep = ("-m", *WORDS, "output_dir=sweep")
    assert place.run(*sweep, "seed=1").returncode == 0
    overwrite(place)
    again = place.run(*sweep, "seed=1")
    assert again.returncode == 0, again.stderr
    assert "has finished before" not in again.stdout
    third = place.run(*sweep, "seed=1,2")
    assert "job 0 has finished before: sweep/1" in third.stdout
    marks = [manifest(place, f"sweep/{job}")["model"]["fingerprint"] for job in range(3)]
    assert marks[0] != marks[1] == marks[2]
    table = (place.folder / "sweep" / "comparison.csv").read_text().splitlines()[1:]
    rows = {line.split(",")[0]: line.split(",")[1] for line in table}
    assert list(rows.values()) == ["1", "1 2"]
    assert all(label.startswith("algo=dpo model.name@") for label in rows)
    text = (place.folder / "sweep" / "comparison.md").read_text()
    assert "**Warning:** model.name was not the same in all runs of one configuration" in text
    restore(place)
    assert "job 0 has finished before: sweep/0" in place.run(*sweep, "seed=1").stdout


def test_a_model_that_was_moved_is_the_same_job(place):
    assert place.run("-m", *WORDS, "output_dir=sweep", "seed=1").returncode == 0
    (place.folder / "start").rename(place.folder / "moved")
    done = place.run("-m", *WORDS, "output_dir=sweep", "seed=1", "model.name=moved")
    assert "job 0 has finished before: sweep/0" in done.stdout


@pytest.mark.parametrize("change", ["weights", "tokenizer"])
def test_a_run_is_not_resumed_from_another_model(place, change):
    cut(place, "run")
    before = files(place.folder / "run")
    if change == "weights":
        overwrite(place)
    else:
        (place.folder / "start" / "chat_template.jinja").write_text("{{ messages }}")
    refused = place.run("resume", "run")
    assert refused.returncode == 2
    assert f"model.name={place.folder / 'start'}: {change}: " in refused.stderr
    assert "prefrun resume run --accept-changes" in refused.stderr
    assert files(place.folder / "run") == before


def test_the_start_model_passes_the_gate_again(place):
    cut(place, "run")
    for file in (place.folder / "cache").rglob("*.logps"):
        data = file.read_bytes()
        entries = list(sound_entries(data))
        values = [
            np.frombuffer(data, DTYPES[each.itemsize], each.length, each.start + HEADER.size)
            for each in entries
        ]
        pairs = zip(entries, values, strict=True)
        file.write_bytes(b"".join(encode(each.key, value - 1) for each, value in pairs))
    refused = place.run("resume", "run")
    assert refused.returncode == 1
    assert "step-0 gate: policy and reference differ" in refused.stderr


def test_changes_that_are_accepted_are_told_with_the_result(place):
    cut(place, "run")
    began = manifest(place, "run")
    overwrite(place)
    done = place.run("resume", "run", "--accept-changes")
    assert done.returncode == 0, done.stderr
    ended = manifest(place, "run")
    assert ended["model"] == began["model"]
    assert ended["inputs"] == began["inputs"]
    assert ended["resumed"][-1]["changed"][0].startswith("model.name=")
    warning = "resumed with other inputs than it began with: model.name="
    assert warning in (place.folder / "run" / "report.md").read_text()
    (place.folder / "runs").mkdir()
    (place.folder / "run").rename(place.folder / "runs" / "run")
    assert f"warning: runs/run was {warning}" in place.run("report", "runs").stdout


def test_a_relative_path_means_the_same_from_any_folder(place):
    cut(place, "run", "cache.dir=my_cache")
    elsewhere = place.folder / "elsewhere"
    (elsewhere / "start").mkdir(parents=True)
    place.folder, home = elsewhere, place.folder
    done = place.run("resume", str(home / "run"))
    assert done.returncode == 0, done.stderr
    assert not (elsewhere / "my_cache").exists()
    done = place.run("rerun", str(home / "run"), "--output", "again")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "agrees bitwise" in done.stdout
    report = (home / "run" / "report.md").read_text()
    assert f"model.name={home / 'start'}" in report.partition("## Repeat")[2]


REWARD = """
from dataclasses import dataclass
from pathlib import Path
from prefrun import Component, conf_dir, hookimpl, path_key


@dataclass
class WordsConfig:
    file: str | None = path_key()


class Words:
    def __init__(self, config):
        self.words = Path(config.file).read_text().split()
        self.name = "words"

    def of(self, data):
        return self

    def score(self, trees, responses):
        return [sum(map(text.count, self.words)) for text in responses]


@hookimpl
def prefrun_components():
    return [Component("reward", "words", WordsConfig, "prefrun_words:Words", "counts words")]


@hookimpl
def prefrun_config_dir():
    return conf_dir("prefrun_words")
"""
YAML = "defaults:\n  - /schema/reward/words@_here_\n  - _self_\n"


@pytest.fixture
def judged(place, make_plugin, plugin_folder) -> Workplace:
    """A workplace with a third-party reward that reads a file."""
    make_plugin("words", REWARD, {"reward/words.yaml": YAML})
    place.environment["PYTHONPATH"] = str(plugin_folder)
    (place.folder / "words.txt").write_text("a b")
    return place


def test_a_third_partys_file_is_part_of_a_jobs_identity(judged):
    words = ("-m", *WORDS, "reward=words", "reward.file=words.txt", "evaluator=[reward]")
    sweep = (*words, "output_dir=sweep", "seed=1")
    done = judged.run(*sweep)
    assert done.returncode == 0, done.stderr
    assert "has finished before" in judged.run(*sweep).stdout
    (judged.folder / "words.txt").write_text("c d")
    assert "has finished before" not in judged.run(*sweep).stdout
    text = (judged.folder / "sweep" / "comparison.md").read_text()
    assert "**Warning:** reward.file was not the same" in text


def test_a_run_is_not_resumed_with_other_plugin_code_and_a_sweep_begins_anew(judged, plugin_folder):
    words = ("reward=words", "reward.file=words.txt", "evaluator=[reward]")
    cut(judged, "run", *words)
    cut(judged, "sweep", "seed=1", *words, sweep=True)
    code = plugin_folder / "prefrun_words" / "__init__.py"
    code.write_text(code.read_text().replace("sum(map", "-sum(map"))
    refused = judged.run("resume", "run")
    assert refused.returncode == 2
    assert "code of prefrun_words: " in refused.stderr
    done = judged.run("-m", *WORDS, *LONGER, "output_dir=sweep", "seed=1", *words)
    assert done.returncode == 0, done.stderr
    assert "goes on in" not in done.stdout
    assert (judged.folder / "sweep" / "0" / "summary.json").exists()
    assert not (judged.folder / "sweep" / "1").exists()


def test_a_run_directory_may_be_in_the_home_folder(workplace):
    workplace.environment["HOME"] = str(workplace.folder / "home")
    words = ("algo=dpo", "model=linear", "data=linear_world", "trainer.max_steps=5")
    done = workplace.run(*words, "output_dir=~/run")
    assert done.returncode == 0, done.stderr
    assert (workplace.folder / "home" / "run" / "summary.json").exists()
    assert not (workplace.folder / "~").exists()


def test_two_learning_rates_that_print_alike_are_two_rows(workplace):
    rates = "trainer.learning_rate=0.01000001,0.01000002"
    done = workplace.run(
        *("-m", "algo=dpo", "model=linear", "data=linear_world", "trainer.max_steps=5"),
        *(rates, "output_dir=col"),
    )
    assert done.returncode == 0, done.stderr
    table = (workplace.folder / "col" / "comparison.csv").read_text().splitlines()
    labels = [line.split(",")[0] for line in table[1:]]
    assert labels == ["trainer.learning_rate=0.01000001", "trainer.learning_rate=0.01000002"]
