"""algo=evaluate measures a model as it is: a row of every comparison."""

from __future__ import annotations

import json
import os

import pytest

from tests.together.conftest import MAIN, SMALL, Workplace

ONE_SIDED = '''
from dataclasses import dataclass
from pathlib import Path
from prefrun import Component, conf_dir, hookimpl


@dataclass
class OnlyConfig:
    held_out: bool = False
    """Whether all records are held out, not trained on."""


@hookimpl
def prefrun_components():
    return [Component("data", "only", OnlyConfig, "prefrun_only.source:Only", "one part only")]


@hookimpl
def prefrun_config_dir() -> Path:
    return conf_dir("prefrun_only")
'''
SOURCE = '''
from prefrun.records.dataset import generated_split
from prefrun.records.tree import Branch, PreferenceTree, Step


class Only:
    """Records without held-out ones, or the other way round (a test)."""

    def __init__(self, config):
        self.config = config

    def load(self, seed):
        trees = [
            PreferenceTree(
                f"t{n}", f"{n}?", (Branch((Step("yes"),), rank=1), Branch((Step("no"),), rank=2))
            )
            for n in range(4)
        ]
        return generated_split("only", *(([], trees) if self.config.held_out else (trees, [])))
'''


def write_pairs(place: Workplace, count: int) -> None:
    rows = [
        {"prompt": f"Repeat {n}.", "chosen": f"{n} {n}", "rejected": "no"} for n in range(count)
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (place.folder / "pairs.jsonl").write_text(text)


def test_a_model_is_measured_once_as_before_any_training(finished, workplace):
    summary = workplace.train("run", "algo=evaluate")
    start = {
        name: values["before"] for name, values in finished.summary("whole")["metrics"].items()
    }
    assert {name: values["after"] for name, values in summary["metrics"].items()} == start
    assert {values["before"] for values in summary["metrics"].values()} == {None}
    assert (summary["metrics"]["win_rate"]["after"], summary["metrics"]["kl"]["after"]) == (0.5, 0)
    assert (summary["steps"], summary["trained"]) == (0, False)
    folder = workplace.folder / "run"
    assert not (folder / "evaluation_before.json").exists()
    assert not (folder / "model").exists()
    assert "measured, not trained" in (folder / "report.md").read_text()
    samples = (folder / "samples.jsonl").read_text().splitlines()
    assert len(samples) == 8


def test_it_is_a_row_beside_trained_runs(workplace):
    done = workplace.run("-m", "algo=evaluate,lipo", *MAIN[1:], *SMALL, "output_dir=sweep")
    assert done.returncode == 0, done.stderr
    text = (workplace.folder / "sweep" / "comparison.md").read_text()
    assert "Measured, not trained: algo=evaluate." in text
    rows = [
        line for line in text.splitlines() if line.startswith(("| algo=evaluate", "| algo=lipo"))
    ]
    assert len(rows) >= 2
    assert "paired permutation test against algo=evaluate" in text


def test_models_are_compared_with_a_row_each(finished, workplace):
    workplace.train("first", "trainer.max_steps=1", "trainer.learning_rate=1e-3", "evaluator=[]")
    models = {"first": workplace.folder / "first", "whole": finished.folder / "whole"}
    names = ",".join(str(folder / "model") for folder in models.values())
    words = ("-m", "algo=evaluate", "data=ultrafeedback", *SMALL, "model=hf", "output_dir=two")
    done = workplace.run(*words, f"model.name={names}", "evaluator=[reward,ranking_accuracy]")
    assert done.returncode == 0, done.stderr
    text = (workplace.folder / "two" / "comparison.md").read_text()
    for name in models:
        assert f"\n| model.name={name}/model |" in text
    kept = workplace.summary("two/1")["metrics"]["reward"]["after"]
    assert kept == finished.summary("whole")["metrics"]["reward"]["after"]


def test_all_records_of_a_file_can_be_measured(workplace):
    write_pairs(workplace, 6)
    words = ("algo=evaluate", "data=trl", "data.path=pairs.jsonl", "evaluator=[ranking_accuracy]")
    done = workplace.run(*words, "output_dir=part", "evaluation.bootstrap=20")
    assert done.returncode == 0, done.stderr
    assert "measures the 1 held-out records; data.test_fraction=1 would hold out all" in done.stdout
    words = (*words, "data.test_fraction=1", "evaluation.bootstrap=20")
    done = workplace.run(*words, "output_dir=all")
    assert done.returncode == 0, done.stderr
    after = json.loads((workplace.folder / "all" / "evaluation_after.json").read_text())
    assert len(after["metrics"]["ranking_accuracy"]["per_record"]) == 6
    refused = workplace.run("algo=lipo", *words[1:], "output_dir=bad")
    assert refused.returncode == 2
    assert "has 6 held-out records and none to train on" in refused.stderr
    assert not (workplace.folder / "bad").exists()


@pytest.mark.parametrize("held_out", [False, True])
def test_data_that_have_one_part_only_are_measured(make_plugin, plugin_folder, workplace, held_out):
    yaml = "defaults:\n  - /schema/data/only@_here_\n  - _self_\n"
    make_plugin("only", ONE_SIDED, {"data/only.yaml": yaml})
    (plugin_folder / "prefrun_only" / "source.py").write_text(SOURCE)
    before = workplace.environment.get("PYTHONPATH", "")
    workplace.environment["PYTHONPATH"] = os.pathsep.join([str(plugin_folder), before])
    words = ("data=only", f"data.held_out={held_out}", "evaluator=[ranking_accuracy]")
    done = workplace.run("algo=evaluate", *words, "output_dir=run", "evaluation.bootstrap=20")
    assert done.returncode == 0, done.stderr
    said = "no held-out records: the 4 training records are measured"
    assert (said in done.stdout) != held_out
    after = json.loads((workplace.folder / "run" / "evaluation_after.json").read_text())
    assert len(after["metrics"]["ranking_accuracy"]["per_record"]) == 4
