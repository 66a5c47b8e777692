"""What a run can be besides 'train a policy': its start measured by itself, a reward, no policy."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.together.conftest import SMALL, Workplace

INIT = '''
from dataclasses import dataclass
from pathlib import Path
from prefrun import Component, conf_dir, hookimpl


@dataclass
class ItemsConfig:
    crash: bool = False
    """Stop at the end of the first try."""
    name: str = "items"
    """Of the folder that is left."""


@dataclass
class JudgeConfig:
    with_policy: bool = False
    """Return the model, too."""


@dataclass
class SilentConfig:
    """No keys."""


@dataclass
class AgreeConfig:
    """No keys."""


@hookimpl
def prefrun_components():
    return [
        Component("algo", "items", ItemsConfig, "prefrun_ends.parts:Items", "no language model"),
        Component("algo", "judge", JudgeConfig, "prefrun_ends.parts:Judge", "trains a reward"),
        Component("algo", "silent", SilentConfig, "prefrun_ends.parts:Silent", "no policy"),
        Component("evaluator", "agree", AgreeConfig, "prefrun_ends.parts:Agree", "of a reward"),
    ]


@hookimpl
def prefrun_config_dir() -> Path:
    return conf_dir("prefrun_ends")
'''

PARTS = '''
from prefrun.algorithm import Outcome, RunAlgorithm
from prefrun.evaluation.evaluator import Estimate, Evaluator


class Items(RunAlgorithm):
    """Measures its own start and end (a test)."""

    uses_model = False
    saves_as = "items"

    def __init__(self, config):
        super().__init__(config)
        self.saves_as = config.name

    def run(self, services):
        return Outcome(
            metrics={"recall": Estimate(0.75)},
            directions={"recall": "max"},
            before={"recall": Estimate(0.25, per_record=(0.0, 0.5))},
        )

    def save(self, folder):
        (folder / "items.txt").write_text("learned")
        tried = folder.parent / "tried"
        if self.config.crash and not tried.exists():
            tried.touch()
            raise RuntimeError("a crash while it is written")


class Longer:
    """Prefers the longer answer."""

    name = "longer"

    def score(self, trees, responses):
        return [float(len(response)) for response in responses]


class Judge(RunAlgorithm):
    """Trains a reward (a test)."""

    def __init__(self, config):
        super().__init__(config)
        self.evaluates_policy = config.with_policy

    def run(self, services):
        policy = services.policy() if self.config.with_policy else None
        return Outcome(policy, reward=Longer())


class Silent(RunAlgorithm):
    """Has a model and no policy to measure (a test)."""

    evaluates_policy = False

    def run(self, services):
        return Outcome(metrics={"done": Estimate(1.0)})


class Agree(Evaluator):
    """How often the reward prefers the better answer."""

    directions = {"agree": "max"}

    def evaluate(self, context):
        right = []
        for tree in context.trees:
            texts = [branch.text for branch in tree.branches]
            scores = context.reward.score([tree] * len(texts), texts)
            labels = tree.labels(context.objective)
            best = max(range(len(texts)), key=lambda k: labels[k])
            right.append(float(scores[best] == max(scores)))
        return {"agree": Estimate(sum(right) / len(right), per_record=right)}
'''

YAML = "defaults:\n  - /schema/{}@_here_\n{}  - _self_\n"
NO_MODEL = "  - override /model@_global_.model: none\n"


@pytest.fixture
def ends(make_plugin: Callable[..., None], plugin_folder: Path, workplace: Workplace) -> Workplace:
    """A workplace with the plugin above."""
    conf = {
        "algo/items.yaml": YAML.format("algo/items", NO_MODEL),
        "algo/judge.yaml": YAML.format("algo/judge", ""),
        "algo/silent.yaml": YAML.format("algo/silent", ""),
        "evaluator/agree.yaml": "# @package evaluator.agree\n" + YAML.format("evaluator/agree", ""),
    }
    make_plugin("ends", INIT, conf)
    (plugin_folder / "prefrun_ends" / "parts.py").write_text(PARTS)
    before = workplace.environment.get("PYTHONPATH", "")
    workplace.environment["PYTHONPATH"] = os.pathsep.join([str(plugin_folder), before])
    return workplace


def read(place: Workplace, name: str) -> dict:
    return json.loads((place.folder / name).read_text())


def test_a_run_without_a_language_model_has_a_before(ends):
    done = ends.run("algo=items", "data=ultrafeedback", "output_dir=run", *SMALL)
    assert done.returncode == 0, done.stderr
    assert ends.summary("run")["metrics"] == {"recall": {"before": 0.25, "after": 0.75}}
    assert read(ends, "run/evaluation_before.json")["metrics"]["recall"]["per_record"] == [0.0, 0.5]
    assert "| recall | 0.250 | 0.750 | +0.500 |" in (ends.folder / "run" / "report.md").read_text()
    assert "not measured" not in done.stdout


def test_what_a_run_leaves_is_whole_or_not_there(ends):
    words = ("algo=items", "data=ultrafeedback", "output_dir=cut", *SMALL)
    assert ends.run(*words, "algo.crash=true").returncode == 1
    assert not (ends.folder / "cut" / "items").exists()
    done = ends.run("resume", "cut")
    assert done.returncode == 0, done.stderr
    assert (ends.folder / "cut" / "items" / "items.txt").read_text() == "learned"
    assert not list((ends.folder / "cut").glob("*.incomplete"))
    assert "items/" in done.stdout
    assert ends.summary("cut")["metrics"] == {"recall": {"before": 0.25, "after": 0.75}}


def test_a_folder_that_prefrun_writes_is_not_taken(ends):
    words = ("algo=items", "data=ultrafeedback", "output_dir=bad", *SMALL, "algo.name=checkpoints")
    done = ends.run(*words)
    assert done.returncode != 0
    assert "Items.saves_as is 'checkpoints', which is no free name" in done.stderr


def test_a_trained_reward_is_what_the_evaluators_judge_with(ends):
    summary = ends.train("run", "algo=judge", "evaluator=[agree,win_rate,kl]")
    assert list(summary["metrics"]) == ["agree"]
    assert summary["not_measured"] == {}
    agree = summary["metrics"]["agree"]
    assert agree["before"] > agree["after"]  # the data's own judge knows better than the length
    assert not (ends.folder / "run" / "model").exists()


def test_answers_before_and_after_are_judged_alike_by_a_trained_reward(ends):
    words = ("evaluator=[agree,win_rate,reward]",)
    summary = ends.train("run", "algo=judge", "algo.with_policy=true", *words)
    plain = ends.train("plain", "algo=evaluate", *words)
    metrics = summary["metrics"]
    assert metrics["win_rate"] == {"before": 0.5, "after": 0.5, "low": 0.5, "high": 0.5}
    assert metrics["reward"]["before"] == plain["metrics"]["reward"]["after"]
    assert metrics["reward"]["after"] > metrics["reward"]["before"]  # a length in characters


def test_a_run_without_a_policy_to_measure_is_not_evaluated(ends):
    done = ends.run("algo=silent", "data=ultrafeedback", "output_dir=run", *SMALL)
    assert done.returncode == 0, done.stderr
    assert "not measured" not in done.stdout
    summary = ends.summary("run")
    assert summary["metrics"] == {"done": {"before": None, "after": 1.0}}
    assert summary["not_measured"] == {}
    assert "Not measured" not in (ends.folder / "run" / "report.md").read_text()
    assert not (ends.folder / "run" / "evaluation_before.json").exists()
